//! A unit of debug information: what its root says of all that is in it.

use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugAddrBase, DebugInfoOffset, DebugRngListsBase, DebugStrOffsetsBase,
    EntriesRaw, Error, Reader as _, Result, UnitHeader,
};

use super::{Sections, reader::Bytes};

/// Bytes of abbreviations that a unit may have; a thousandth of it is usual. In memory they take twenty times as much.
const ABBREVIATIONS: u64 = 1 << 20;

pub(super) type Value = AttributeValue<Bytes>;

/// A unit.
pub(super) struct Unit {
    pub(super) header: UnitHeader<Bytes>,
    pub(super) abbreviations: Abbreviations,
    /// Where its code begins, if it is in one piece; ranges are counted from it.
    pub(super) low: u64,
    pub(super) high: Option<Value>,
    pub(super) ranges: Option<Value>,
    /// Offset of its line numbers.
    pub(super) lines: Option<usize>,
    pub(super) folder: Option<Value>,
    strings_base: DebugStrOffsetsBase<usize>,
    addresses_base: DebugAddrBase<usize>,
    ranges_base: DebugRngListsBase<usize>,
}

impl Sections {
    /// Reads the root of the unit at an offset.
    pub(super) fn unit(&self, offset: usize) -> Result<Unit> {
        let header = self.info.header_from_offset(DebugInfoOffset(offset))?;
        if header.address_size() != 8 {
            return Err(Error::UnsupportedAddressSize(header.address_size()));
        }
        let table = self.abbreviations.rest(header.debug_abbrev_offset().0 as u64, ABBREVIATIONS);
        let table = Bytes::new(table.ok_or(Error::UnsupportedOffset)?);
        let abbreviations = DebugAbbrev::from(table).abbreviations(gimli::DebugAbbrevOffset(0))?;
        let mut unit = Unit {
            low: 0,
            high: None,
            ranges: None,
            lines: None,
            folder: None,
            strings_base: DebugStrOffsetsBase(0),
            addresses_base: DebugAddrBase(0),
            ranges_base: DebugRngListsBase(0),
            header,
            abbreviations: Abbreviations::default(),
        };
        let mut low = None;
        let mut entries = unit.header.entries_raw(&abbreviations, None)?;
        let root = entries.read_abbreviation()?.ok_or(Error::MissingUnitDie)?;
        for attribute in root.attributes() {
            let attribute = entries.read_attribute(*attribute)?;
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_low_pc, value) => low = Some(value),
                (gimli::DW_AT_high_pc, value) => unit.high = Some(value),
                (gimli::DW_AT_ranges, value) => unit.ranges = Some(value),
                (gimli::DW_AT_comp_dir, value) => unit.folder = Some(value),
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => unit.lines = Some(offset.0),
                (gimli::DW_AT_str_offsets_base, AttributeValue::DebugStrOffsetsBase(base)) => unit.strings_base = base,
                (gimli::DW_AT_addr_base, AttributeValue::DebugAddrBase(base)) => unit.addresses_base = base,
                (gimli::DW_AT_rnglists_base, AttributeValue::DebugRngListsBase(base)) => unit.ranges_base = base,
                _ => {}
            }
        }
        unit.abbreviations = abbreviations;
        // Its form may need a base that follows it.
        unit.low = low.and_then(|low| self.address(&unit, &low)).unwrap_or(0);
        Ok(unit)
    }

    /// An attribute that is an address.
    pub(super) fn address(&self, unit: &Unit, value: &Value) -> Option<u64> {
        match value {
            AttributeValue::Addr(address) => Some(*address),
            AttributeValue::DebugAddrIndex(index) => {
                self.addresses.get_address(unit.header.address_size(), unit.addresses_base, *index).ok()
            }
            _ => None,
        }
    }

    /// An attribute that is a text.
    pub(super) fn text(&self, unit: &Unit, value: &Value) -> Option<String> {
        let text = match value {
            AttributeValue::String(text) => Ok(text.clone()),
            AttributeValue::DebugStrRef(offset) => self.strings.get_str(*offset),
            AttributeValue::DebugLineStrRef(offset) => self.line_strings.get_str(*offset),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let offset = self.string_offsets.get_str_offset(unit.header.format(), unit.strings_base, *index);
                offset.and_then(|offset| self.strings.get_str(offset))
            }
            _ => return None,
        };
        text.ok()?.to_string_lossy().ok().map(std::borrow::Cow::into_owned)
    }

    /// Calls `each` with every range (begin, end) that a pair of addresses or a list of ranges names.
    pub(super) fn ranges(
        &self,
        unit: &Unit,
        (low, high, list): (Option<u64>, Option<&Value>, Option<&Value>),
        mut each: impl FnMut(u64, u64),
    ) -> Result<()> {
        if let Some(list) = list {
            let offset = match list {
                AttributeValue::RangeListsRef(offset) => gimli::RangeListsOffset(offset.0),
                AttributeValue::DebugRngListsIndex(index) => {
                    self.ranges.get_offset(unit.header.encoding(), unit.ranges_base, *index)?
                }
                _ => return Ok(()),
            };
            let encoding = unit.header.encoding();
            let mut ranges = self.ranges.ranges(offset, encoding, unit.low, &self.addresses, unit.addresses_base)?;
            while let Some(range) = ranges.next()? {
                each(range.begin, range.end);
            }
        } else if let (Some(low), Some(high)) = (low, high) {
            let high = match high {
                AttributeValue::Udata(size) => low.checked_add(*size),
                other => self.address(unit, other),
            };
            each(low, high.unwrap_or(low));
        }
        Ok(())
    }

    /// The entries of a unit from an offset on.
    pub(super) fn entries<'a>(unit: &'a Unit, offset: usize) -> Result<EntriesRaw<'a, Bytes>> {
        unit.header.entries_raw(&unit.abbreviations, Some(gimli::UnitOffset(offset)))
    }
}
