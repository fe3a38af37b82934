//! `.gopclntab`: a header that tells where its parts are, a sorted table of functions, and what is known of each. Formats
//! of Go 1.2, 1.16, 1.18 and 1.20 on (`internal/abi/symtab.go`, `runtime/symtab.go` and `runtime2.go`).

use super::{NAME, pcvalue::value_at};
use crate::symbols::{area::Area, elf::Elf};

/// A table of 64-bit little-endian code with instructions of any length: amd64's.
const SHAPE: [u8; 4] = [0, 0, 1, 8];

/// Functions that a table may have: the largest programs have a million.
const FUNCTIONS: u64 = 1 << 24;

/// By the format of the table, which changed less often than Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Version {
    Go12,
    Go116,
    Go118,
    Go120,
}

/// Where the parts of a table are.
pub(super) struct Layout {
    pub(super) version: Version,
    pub(super) area: Area,
    count: u64,
    /// Address of the code; absent, or not relocated, in many.
    text: u64,
    /// Offsets of the parts, from the start of the table.
    pub(super) names: u64,
    units: u64,
    files: u64,
    values: u64,
    pub(super) functions: u64,
}

impl Layout {
    /// Reads the header.
    pub(super) fn read(area: Area) -> Option<Self> {
        let mut shape = [0; 4];
        area.read(4, &mut shape)?;
        let version = match area.u32(0)? {
            0xffff_fffb => Version::Go12,
            0xffff_fffa => Version::Go116,
            0xffff_fff0 => Version::Go118,
            0xffff_fff1 => Version::Go120,
            _ => return None,
        };
        let count = area.u64(8).filter(|count| (1..FUNCTIONS).contains(count) && shape == SHAPE)?;
        let word = |index: u64| area.u64(8 + index * 8).filter(|offset| *offset < area.len());
        let layout = match version {
            // One string table for all, its offsets behind the functions.
            Version::Go12 => {
                let files = u64::from(area.u32(16 + count * 16 + 8)?);
                Self { text: 0, names: 0, units: 0, files, values: 0, functions: 16, version, count, area }
            }
            Version::Go116 => {
                let [names, units, files, values, functions] = [word(2)?, word(3)?, word(4)?, word(5)?, word(6)?];
                Self { text: 0, names, units, files, values, functions, version, count, area }
            }
            Version::Go118 | Version::Go120 => {
                let [names, units, files, values, functions] = [word(3)?, word(4)?, word(5)?, word(6)?, word(7)?];
                Self { text: area.u64(24)?, names, units, files, values, functions, version, count, area }
            }
        };
        Some(layout)
    }

    /// Where the code begins, as far as the table and the sections tell.
    pub(super) fn text(&self, elf: &Elf) -> Option<u64> {
        if self.version < Version::Go118 {
            return Some(0);
        }
        let section = || elf.section(".text").map(|section| section.address);
        Some(self.text).filter(|text| *text != 0).or_else(section)
    }
}

/// The functions.
pub(super) struct Table {
    layout: Layout,
    /// What addresses are counted from: since Go 1.18 they are offsets.
    text: u64,
}

/// What is known of a function.
pub(super) struct Function {
    /// Address before relocation.
    pub(super) entry: u64,
    /// Address behind it.
    pub(super) end: u64,
    /// Offset of its name.
    pub(super) name: u32,
    /// Its record, behind the address of its entry.
    pub(super) record: Area,
}

impl Table {
    pub(super) fn new(layout: Layout, text: u64) -> Option<Self> {
        let table = Self { layout, text };
        // Addresses that the loader would have to fill in are 0 here.
        (table.entry(0)? != 0).then_some(table)
    }

    pub(super) fn version(&self) -> Version {
        self.layout.version
    }

    /// Width of a number in the table of functions.
    fn width(&self) -> u64 {
        if self.layout.version < Version::Go118 { 8 } else { 4 }
    }

    fn number(&self, index: u64) -> Option<u64> {
        let at = self.layout.functions + index * self.width();
        if self.width() == 8 { self.layout.area.u64(at) } else { self.layout.area.u32(at).map(u64::from) }
    }

    fn entry(&self, index: u64) -> Option<u64> {
        self.number(index * 2)?.checked_add(self.text)
    }

    /// The function at an address before relocation.
    pub(super) fn function(&self, address: u64) -> Option<Function> {
        let (mut low, mut high) = (0, self.layout.count);
        if address < self.entry(low)? || address >= self.entry(high)? {
            return None;
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.entry(middle)? <= address { low = middle } else { high = middle }
        }
        let (entry, end) = (self.entry(low)?, self.entry(low + 1)?);
        // In the first format records are counted from the start, later from the table of functions.
        let base = if self.layout.version == Version::Go12 { 0 } else { self.layout.functions };
        let record = base.checked_add(self.number(low * 2 + 1)?)?.checked_add(self.width())?;
        let record = self.layout.area.rest(record, u64::MAX)?;
        Some(Function { entry, end, name: record.u32(0)?, record })
    }

    pub(super) fn name(&self, offset: u32) -> Option<String> {
        self.layout.area.text(self.layout.names + u64::from(offset), NAME)
    }

    /// The value of one of a function's tables at an address; `field` is the place of the table's offset in the record.
    pub(super) fn value(&self, function: &Function, field: u64, address: u64) -> Option<u32> {
        let offset = u64::from(function.record.u32(field)?);
        let values = self.layout.area.rest(self.layout.values.checked_add(offset)?, u64::MAX)?;
        if offset == 0 {
            return None;
        }
        u32::try_from(value_at(&values, function.entry, address)?).ok()
    }

    /// Source file and line of an address.
    pub(super) fn place(&self, function: &Function, address: u64) -> (Option<String>, Option<u32>) {
        const FILE: u64 = 16;
        const LINE: u64 = 20;
        let file = self.value(function, FILE, address).and_then(|number| self.file(function, number));
        (file, self.value(function, LINE, address).filter(|line| *line != 0))
    }

    fn file(&self, function: &Function, number: u32) -> Option<String> {
        const UNIT: u64 = 28;
        let Layout { area, files, units, version, .. } = &self.layout;
        if *version == Version::Go12 {
            let offset = area.u32(files.checked_add(u64::from(number) * 4)?)?;
            return area.text(u64::from(offset), NAME);
        }
        let index = u64::from(function.record.u32(UNIT)?) + u64::from(number);
        let offset = area.u32(units.checked_add(index * 4)?)?;
        area.text(files.checked_add(u64::from(offset))?, NAME)
    }
}
