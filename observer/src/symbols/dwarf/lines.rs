//! Line numbers of a unit: a program whose rows tell address, file and line. It is run, not stored, up to the addresses
//! that are wanted.

use gimli::{Reader as _, Result};

use super::{Sections, files::Files, reader::Bytes, unit::Unit};

/// A place in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    /// Number in the unit's table of files.
    pub(super) file: u64,
    pub(super) line: u64,
}

/// The line numbers of a unit.
pub(super) struct Program<'a> {
    pub(super) files: Files<'a>,
    smallest_instruction: u8,
    line_base: i8,
    line_range: u8,
    opcode_base: u8,
    /// Operands of each standard opcode.
    operands: Vec<u8>,
    rows: Bytes,
}

impl<'a> Program<'a> {
    /// Reads the header; None when there is none that can be read.
    pub(super) fn read(sections: &'a Sections, unit: &'a Unit) -> Option<Self> {
        let mut input = Bytes::new(sections.lines.rest(unit.lines? as u64, u64::MAX)?);
        Self::header(sections, unit, &mut input).ok().flatten()
    }

    fn header(sections: &'a Sections, unit: &'a Unit, input: &mut Bytes) -> Result<Option<Self>> {
        let (length, format) = input.read_initial_length()?;
        input.truncate(length)?;
        let version = input.read_u16()?;
        if !(2..=5).contains(&version) {
            return Ok(None);
        }
        if version == 5 {
            // Size of an address, size of a segment.
            input.skip(2)?;
        }
        let header = input.read_offset(format)?;
        let mut tables = input.split(header)?;
        let smallest_instruction = tables.read_u8()?;
        if version >= 4 {
            // Operations in an instruction: of machines that the observer does not run on.
            tables.skip(1)?;
        }
        // Whether a row begins a statement: every row counts.
        tables.skip(1)?;
        let (line_base, line_range, opcode_base) = (tables.read_i8()?, tables.read_u8()?, tables.read_u8()?);
        if line_range == 0 || opcode_base == 0 {
            return Ok(None);
        }
        let mut operands = vec![0; usize::from(opcode_base) - 1];
        tables.read_slice(&mut operands)?;
        let wide = format == gimli::Format::Dwarf64;
        let files = Files { sections, unit, version, wide, tables };
        let rows = input.clone();
        let program = Self { files, smallest_instruction, line_base, line_range, opcode_base, operands, rows };
        Ok(Some(program))
    }

    /// Runs the program and notes the place of each address.
    pub(super) fn places(&self, addresses: &[u64], places: &mut [Option<Place>]) -> Result<()> {
        let mut input = self.rows.clone();
        let mut row = Row::default();
        while !input.is_empty() && places.iter().any(Option::is_none) {
            let opcode = input.read_u8()?;
            if opcode >= self.opcode_base {
                let advance = u64::from(opcode - self.opcode_base);
                row.advance(advance / u64::from(self.line_range) * u64::from(self.smallest_instruction));
                row.line_by(i64::from(self.line_base) + (advance % u64::from(self.line_range)) as i64);
                row.emit(addresses, places);
                continue;
            }
            match gimli::DwLns(opcode) {
                gimli::DwLns(0) => self.extended(&mut input, &mut row, addresses, places)?,
                gimli::DW_LNS_copy => row.emit(addresses, places),
                gimli::DW_LNS_advance_pc => {
                    row.advance(input.read_uleb128()?.wrapping_mul(u64::from(self.smallest_instruction)));
                }
                gimli::DW_LNS_advance_line => row.line_by(input.read_sleb128()?),
                gimli::DW_LNS_set_file => row.place.file = input.read_uleb128()?,
                gimli::DW_LNS_const_add_pc => {
                    let advance = u64::from((255 - self.opcode_base) / self.line_range);
                    row.advance(advance * u64::from(self.smallest_instruction));
                }
                gimli::DW_LNS_fixed_advance_pc => row.advance(u64::from(input.read_u16()?)),
                _ => {
                    for _ in 0..self.operands.get(usize::from(opcode) - 1).copied().unwrap_or(0) {
                        input.read_uleb128()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn extended(
        &self,
        input: &mut Bytes,
        row: &mut Row,
        addresses: &[u64],
        places: &mut [Option<Place>],
    ) -> Result<()> {
        let len = usize::try_from(input.read_uleb128()?).map_err(|_| gimli::Error::UnsupportedOffset)?;
        let mut operands = input.split(len)?;
        if len == 0 {
            return Ok(());
        }
        match gimli::DwLne(operands.read_u8()?) {
            gimli::DW_LNE_end_sequence => {
                row.emit(addresses, places);
                *row = Row::default();
            }
            gimli::DW_LNE_set_address if operands.len() == 8 => row.address = operands.read_u64()?,
            _ => {}
        }
        Ok(())
    }
}

/// The row that a program is making.
struct Row {
    address: u64,
    place: Place,
    /// The row before, and where its sequence began.
    before: Option<(u64, Place)>,
    start: u64,
}

impl Default for Row {
    fn default() -> Self {
        Self { address: 0, place: Place { file: 1, line: 1 }, before: None, start: 0 }
    }
}

impl Row {
    fn advance(&mut self, distance: u64) {
        self.address = self.address.wrapping_add(distance);
    }

    fn line_by(&mut self, distance: i64) {
        self.place.line = self.place.line.wrapping_add_signed(distance);
    }

    /// The row is complete: the one before it ends here.
    fn emit(&mut self, addresses: &[u64], places: &mut [Option<Place>]) {
        match self.before.replace((self.address, self.place)) {
            None => self.start = self.address,
            // Code that the linker has dropped begins at 0.
            Some((begin, place)) if self.start != 0 && begin < self.address => {
                for (address, slot) in addresses.iter().zip(places) {
                    if (begin..self.address).contains(address) {
                        slot.get_or_insert(place);
                    }
                }
            }
            Some(_) => {}
        }
    }
}
