//! Which unit an address belongs to. Compilers mostly say so in `.debug_aranges`; where they do not, the root of every
//! unit is read once, when an address is first missing.

use gimli::DebugAranges;

use super::{Sections, reader::Bytes};
use crate::symbols::area::Area;

/// Ranges of addresses and their units.
pub(super) struct Units {
    /// Sorted by the begin.
    ranges: Vec<Range>,
    /// Most ranges to keep.
    most: usize,
    scanned: bool,
}

#[derive(Clone, Copy)]
struct Range {
    begin: u64,
    end: u64,
    /// Offset of the unit.
    unit: usize,
}

/// Ranges before an address that are asked whether they reach it: they do not overlap but for identical code.
const OVERLAPPING: usize = 16;

impl Units {
    /// What `.debug_aranges` lists, in at most so many bytes of memory.
    pub(super) fn listed(aranges: &Area, most: usize) -> Self {
        let mut units = Self { ranges: Vec::new(), most: most / size_of::<Range>(), scanned: false };
        // What was read before an error counts.
        let _ = units.list(&DebugAranges::from(Bytes::new(aranges.clone())));
        units.sort();
        units
    }

    fn list(&mut self, aranges: &DebugAranges<Bytes>) -> gimli::Result<()> {
        let mut headers = aranges.headers();
        while let Some(header) = headers.next()? {
            if header.encoding().address_size != 8 {
                continue;
            }
            let mut entries = header.entries();
            while let Some(entry) = entries.next()? {
                let range = entry.range();
                self.add(range.begin, range.end, header.debug_info_offset().0);
            }
        }
        Ok(())
    }

    /// Code that the linker has dropped begins at 0.
    fn add(&mut self, begin: u64, end: u64, unit: usize) {
        if begin != 0 && begin < end && self.ranges.len() < self.most {
            self.ranges.push(Range { begin, end, unit });
        }
    }

    fn sort(&mut self) {
        self.ranges.sort_unstable_by_key(|range| range.begin);
        self.ranges.dedup_by_key(|range| (range.begin, range.end, range.unit));
        self.ranges.shrink_to_fit();
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.ranges.capacity() * size_of::<Range>()
    }

    /// Offset of the unit that an address lies in.
    pub(super) fn find(&mut self, sections: &Sections, address: u64) -> Option<usize> {
        let found = self.known(address);
        if found.is_some() || self.scanned {
            return found;
        }
        self.scanned = true;
        let _ = self.scan(sections);
        self.sort();
        self.known(address)
    }

    fn known(&self, address: u64) -> Option<usize> {
        let end = self.ranges.partition_point(|range| range.begin <= address);
        let before = self.ranges.get(..end)?.iter().rev().take(OVERLAPPING);
        before.filter(|range| address < range.end).map(|range| range.unit).next()
    }

    /// Reads the roots of all units that are not listed.
    fn scan(&mut self, sections: &Sections) -> gimli::Result<()> {
        let mut listed: Vec<usize> = self.ranges.iter().map(|range| range.unit).collect();
        listed.sort_unstable();
        listed.dedup();
        let mut headers = sections.info.units();
        while let Some(header) = headers.next()? {
            let Some(offset) = header.debug_info_offset().map(|offset| offset.0) else { continue };
            if listed.binary_search(&offset).is_ok() {
                continue;
            }
            let Ok(unit) = sections.unit(offset) else { continue };
            let what = (Some(unit.low), unit.high.as_ref(), unit.ranges.as_ref());
            let _ = sections.ranges(&unit, what, |begin, end| self.add(begin, end, offset));
        }
        Ok(())
    }
}
