//! Source lines and inlined functions from debug information (DWARF 2 to 5). Each lookup walks the one unit that an
//! address lies in and keeps nothing of it: results are cached elsewhere, and debug information is many times larger
//! than what is ever asked for. `gimli` decodes entries; the walk is ours, without recursion.

mod files;
mod functions;
mod lines;
mod reader;
mod unit;
mod units;
mod unwind;

use gimli::{DebugAddr, DebugInfo, DebugLineStr, DebugRanges, DebugRngLists, DebugStr, DebugStrOffsets, RangeLists};

use reader::Bytes;
use units::Units;

pub(super) use unwind::Unwind;

use super::{area::Area, call::Call, demangle::demangle, elf::Elf};

/// Debug information of a file.
pub(super) struct Dwarf {
    sections: Sections,
    units: Units,
    held: usize,
}

/// The sections, empty where there are none.
struct Sections {
    info: DebugInfo<Bytes>,
    abbreviations: Area,
    aranges: Area,
    lines: Area,
    strings: DebugStr<Bytes>,
    line_strings: DebugLineStr<Bytes>,
    string_offsets: DebugStrOffsets<Bytes>,
    addresses: DebugAddr<Bytes>,
    ranges: RangeLists<Bytes>,
}

impl Dwarf {
    /// None when there is none, or when what is compressed needs more than so many bytes of memory.
    pub(super) fn open(elf: &Elf, most: usize) -> Option<Self> {
        let mut held = 0;
        let mut section = |name: &str| -> Option<Area> {
            let Some(section) = elf.section(name) else { return Some(Area::memory(Vec::new())) };
            let area = elf.inflated(section, most - held)?;
            held += area.held();
            Some(area)
        };
        let info = section(".debug_info").filter(|info| info.len() > 0)?;
        let sections = Sections {
            info: DebugInfo::from(Bytes::new(info)),
            abbreviations: section(".debug_abbrev")?,
            aranges: section(".debug_aranges")?,
            lines: section(".debug_line")?,
            strings: DebugStr::from(Bytes::new(section(".debug_str")?)),
            line_strings: DebugLineStr::from(Bytes::new(section(".debug_line_str")?)),
            string_offsets: DebugStrOffsets::from(Bytes::new(section(".debug_str_offsets")?)),
            addresses: DebugAddr::from(Bytes::new(section(".debug_addr")?)),
            ranges: RangeLists::new(
                DebugRanges::from(Bytes::new(section(".debug_ranges")?)),
                DebugRngLists::from(Bytes::new(section(".debug_rnglists")?)),
            ),
        };
        let units = Units::listed(&sections.aranges, most / 2);
        Some(Self { sections, units, held })
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.held + self.units.held()
    }

    /// The calls at each of these addresses before relocation, the innermost first, names demangled; empty where nothing
    /// is known.
    pub(super) fn find(&mut self, addresses: &[u64]) -> Vec<Vec<Call>> {
        let mut found = vec![Vec::new(); addresses.len()];
        let homes: Vec<Option<usize>> =
            addresses.iter().map(|address| self.units.find(&self.sections, *address)).collect();
        let mut done = Vec::new();
        for home in homes.iter().flatten() {
            if done.contains(home) {
                continue;
            }
            done.push(*home);
            // One walk for all addresses of a unit.
            let mut here: Vec<(u64, &mut Vec<Call>)> = Vec::new();
            for ((address, calls), other) in addresses.iter().zip(&mut found).zip(&homes) {
                if *other == Some(*home) {
                    here.push((*address, calls));
                }
            }
            self.sections.walk(*home, &mut here);
        }
        found
    }
}

impl Sections {
    /// Adds the calls at addresses of the unit at an offset.
    fn walk(&self, offset: usize, wanted: &mut [(u64, &mut Vec<Call>)]) -> Option<()> {
        let unit = self.unit(offset).ok()?;
        let addresses: Vec<u64> = wanted.iter().map(|(address, _)| *address).collect();
        let chains = functions::chains(self, &unit, &addresses).unwrap_or_else(|_| vec![Vec::new(); addresses.len()]);
        let program = lines::Program::read(self, &unit);
        let mut places = vec![None; addresses.len()];
        if let Some(program) = &program {
            // What was found before an error counts.
            let _ = program.places(&addresses, &mut places);
        }
        for (((address, calls), chain), place) in wanted.iter_mut().zip(chains).zip(places) {
            let mut place = place;
            if chain.is_empty() && place.is_some() {
                calls.push(self.call(program.as_ref(), place, None, None));
            }
            for function in chain.into_iter().rev() {
                let name = function.name.map(|name| demangle(&name));
                calls.push(self.call(
                    program.as_ref(),
                    place,
                    name,
                    function.start.and_then(|start| address.checked_sub(start)),
                ));
                place = function.call;
            }
        }
        Some(())
    }

    fn call(
        &self,
        program: Option<&lines::Program<'_>>,
        place: Option<lines::Place>,
        name: Option<String>,
        into: Option<u64>,
    ) -> Call {
        let line = place.and_then(|place| u32::try_from(place.line).ok()).filter(|line| *line != 0);
        let file =
            place.zip(program).filter(|_| line.is_some()).and_then(|(place, program)| program.files.path(place.file));
        Call { name, file, line, into }
    }
}

#[cfg(test)]
mod tests;
