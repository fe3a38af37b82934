//! Source files that a unit's line numbers refer to.

use gimli::{
    AttributeValue, DebugLineStrOffset, DebugStrOffset, DebugStrOffsetsIndex, DwForm, DwLnct, Error, Reader, Result,
};

use super::{
    Sections,
    reader::Bytes,
    unit::{Unit, Value},
};

/// Tables of folders and files, not read yet.
pub(super) struct Files<'a> {
    pub(super) sections: &'a Sections,
    pub(super) unit: &'a Unit,
    pub(super) version: u16,
    /// Offsets have 8 bytes.
    pub(super) wide: bool,
    pub(super) tables: Bytes,
}

impl Files<'_> {
    /// Path of a file by its number.
    pub(super) fn path(&self, number: u64) -> Option<String> {
        let found = if self.version == 5 { self.described(number) } else { self.plain(number) };
        let (folder, name) = found.ok().flatten()?;
        let parts = [self.text(self.unit.folder.as_ref()), self.text(folder.as_ref()), self.text(Some(&name))];
        let join = |path: String, next: String| {
            if next.starts_with('/') { next } else { format!("{}/{next}", path.trim_end_matches('/')) }
        };
        parts.into_iter().flatten().reduce(join)
    }

    fn text(&self, value: Option<&Value>) -> Option<String> {
        self.sections.text(self.unit, value?)
    }

    /// Folder and name, up to DWARF 4: both tables are counted from 1, folder 0 is the unit's.
    fn plain(&self, number: u64) -> Result<Option<(Option<Value>, Value)>> {
        let mut input = self.tables.clone();
        let mut folders = self.tables.clone();
        while !input.read_null_terminated_slice()?.is_empty() {}
        for at in 1.. {
            let name = input.read_null_terminated_slice()?;
            let folder = input.read_uleb128()?;
            let _time = input.read_uleb128()?;
            let _size = input.read_uleb128()?;
            if name.is_empty() || at > number {
                break;
            }
            if at < number {
                continue;
            }
            let mut found = None;
            for _ in 0..folder {
                found = Some(folders.read_null_terminated_slice()?).filter(|name| !name.is_empty());
                if found.is_none() {
                    break;
                }
            }
            return Ok(Some((found.map(AttributeValue::String), AttributeValue::String(name))));
        }
        Ok(None)
    }

    /// The same in DWARF 5: both tables describe themselves and are counted from 0.
    fn described(&self, number: u64) -> Result<Option<(Option<Value>, Value)>> {
        let mut input = self.tables.clone();
        let folders = Listing::read(&mut input, self.wide)?;
        let files = Listing::read(&mut folders.behind()?, self.wide)?;
        let Some((Some(name), folder)) = files.get(number)? else { return Ok(None) };
        Ok(Some((folders.get(folder)?.and_then(|(name, _)| name), name)))
    }
}

/// A table that begins with its format.
struct Listing {
    fields: Vec<(DwLnct, DwForm)>,
    count: u64,
    entries: Bytes,
    wide: bool,
}

impl Listing {
    fn read(input: &mut Bytes, wide: bool) -> Result<Self> {
        let fields = (0..input.read_u8()?).map(|_| {
            let kind = u16::try_from(input.read_uleb128()?).unwrap_or(u16::MAX);
            let form = u16::try_from(input.read_uleb128()?).unwrap_or(u16::MAX);
            Ok((DwLnct(kind), DwForm(form)))
        });
        let fields: Vec<_> = fields.collect::<Result<_>>()?;
        let count = input.read_uleb128()?;
        // An entry without fields takes no bytes: there could be any number of them.
        if fields.is_empty() && count > 0 {
            return Err(Error::MissingFileEntryFormatPath);
        }
        Ok(Self { fields, count, entries: input.clone(), wide })
    }

    /// What follows the table.
    fn behind(&self) -> Result<Bytes> {
        let mut input = self.entries.clone();
        for _ in 0..self.count {
            self.entry(&mut input)?;
        }
        Ok(input)
    }

    fn get(&self, number: u64) -> Result<Option<(Option<Value>, u64)>> {
        let mut input = self.entries.clone();
        let mut entry = None;
        for _ in 0..=number {
            if number >= self.count {
                return Ok(None);
            }
            entry = Some(self.entry(&mut input)?);
        }
        Ok(entry)
    }

    /// Name and folder of an entry.
    fn entry(&self, input: &mut Bytes) -> Result<(Option<Value>, u64)> {
        let (mut name, mut folder) = (None, 0);
        for (kind, form) in &self.fields {
            let value = self.value(input, *form)?;
            match *kind {
                gimli::DW_LNCT_path => name = value,
                gimli::DW_LNCT_directory_index => folder = value.and_then(|value| value.udata_value()).unwrap_or(0),
                _ => {}
            }
        }
        Ok((name, folder))
    }

    fn value(&self, input: &mut Bytes, form: DwForm) -> Result<Option<Value>> {
        let format = if self.wide { gimli::Format::Dwarf64 } else { gimli::Format::Dwarf32 };
        let indexed = |index| AttributeValue::DebugStrOffsetsIndex(DebugStrOffsetsIndex(index));
        let value = match form {
            gimli::DW_FORM_string => AttributeValue::String(input.read_null_terminated_slice()?),
            gimli::DW_FORM_line_strp => AttributeValue::DebugLineStrRef(DebugLineStrOffset(input.read_offset(format)?)),
            gimli::DW_FORM_strp => AttributeValue::DebugStrRef(DebugStrOffset(input.read_offset(format)?)),
            gimli::DW_FORM_strx => indexed(input.read_uleb128_u32()? as usize),
            gimli::DW_FORM_strx1 => indexed(usize::from(input.read_u8()?)),
            gimli::DW_FORM_strx2 => indexed(usize::from(input.read_u16()?)),
            gimli::DW_FORM_strx4 => indexed(input.read_u32()? as usize),
            gimli::DW_FORM_udata => AttributeValue::Udata(input.read_uleb128()?),
            gimli::DW_FORM_data1 => AttributeValue::Udata(u64::from(input.read_u8()?)),
            gimli::DW_FORM_data2 => AttributeValue::Udata(u64::from(input.read_u16()?)),
            gimli::DW_FORM_data4 => AttributeValue::Udata(u64::from(input.read_u32()?)),
            gimli::DW_FORM_data8 => AttributeValue::Udata(input.read_u64()?),
            // A checksum.
            gimli::DW_FORM_data16 => return input.skip(16).map(|()| None),
            gimli::DW_FORM_block => {
                let len = usize::try_from(input.read_uleb128()?).map_err(|_| Error::UnsupportedOffset)?;
                return input.skip(len).map(|()| None);
            }
            other => return Err(Error::UnknownForm(other)),
        };
        Ok(Some(value))
    }
}
