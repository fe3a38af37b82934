//! The function that an address lies in, and the functions that are inlined there.

use gimli::{Abbreviation, AttributeValue, DebugInfoOffset, EntriesRaw, Result};

use super::{
    Sections,
    lines::Place,
    reader::Bytes,
    unit::{Unit, Value},
};

/// Inlined functions within each other that are told.
const DEPTH: usize = 64;

/// References from an entry to where its name stands: of an inlined function to the function, of that to its declaration.
const REFERENCES: usize = 8;

/// A function of a chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    /// As the linker knows it, else as the source has it.
    pub(super) name: Option<String>,
    pub(super) start: Option<u64>,
    /// Where it is called, if it is inlined.
    pub(super) call: Option<Place>,
    depth: isize,
}

/// What an entry says of a function.
#[derive(Default)]
struct Entry {
    low: Option<Value>,
    high: Option<Value>,
    ranges: Option<Value>,
    linkage_name: Option<Value>,
    name: Option<Value>,
    origin: Option<Value>,
    call: Place,
    sibling: Option<usize>,
}

/// For each address the function and, behind it, those that are inlined into it at the address.
pub(super) fn chains(sections: &Sections, unit: &Unit, addresses: &[u64]) -> Result<Vec<Vec<Function>>> {
    let mut chains = vec![Vec::<Function>::new(); addresses.len()];
    let mut closed = vec![false; addresses.len()];
    let mut entries = Sections::entries(unit, unit.header.root_offset().0)?;
    // Depth of the entry that `entries` began with.
    let mut base = 0;
    while !closed.iter().all(|closed| *closed) && !entries.is_empty() {
        let depth = base + entries.next_depth();
        for (closed, chain) in closed.iter_mut().zip(&chains) {
            *closed |= chain.first().is_some_and(|function| depth <= function.depth);
        }
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        let inlined = match abbreviation.tag() {
            gimli::DW_TAG_subprogram => false,
            gimli::DW_TAG_inlined_subroutine => true,
            _ => {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
        };
        let entry = Entry::read(&mut entries, abbreviation)?;
        let low = entry.low.as_ref().and_then(|low| sections.address(unit, low));
        let mut here = false;
        sections.ranges(unit, (low, entry.high.as_ref(), entry.ranges.as_ref()), |begin, end| {
            for ((address, chain), closed) in addresses.iter().zip(&mut chains).zip(&closed) {
                // Code that the linker has dropped begins at 0.
                let holds = begin != 0 && (begin..end).contains(address) && !closed && chain.len() < DEPTH;
                let follows = chain.last().map_or(!inlined, |last| inlined && last.depth < depth);
                if holds && follows {
                    here = true;
                    let start = if inlined { None } else { low };
                    let call = inlined.then_some(entry.call);
                    chain.push(Function { name: None, start, call, depth });
                }
            }
        })?;
        if here {
            let name = sections.name(unit, &entry);
            for function in chains.iter_mut().filter_map(|chain| chain.last_mut()) {
                if function.depth == depth && function.name.is_none() {
                    function.name.clone_from(&name);
                }
            }
        } else if let Some(sibling) = entry.sibling.filter(|sibling| *sibling > entries.next_offset().0) {
            entries = Sections::entries(unit, sibling)?;
            base = depth;
        }
    }
    Ok(chains)
}

impl Entry {
    fn read(entries: &mut EntriesRaw<'_, Bytes>, abbreviation: &Abbreviation) -> Result<Self> {
        let mut entry = Self::default();
        for attribute in abbreviation.attributes() {
            let attribute = entries.read_attribute(*attribute)?;
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_low_pc, value) => entry.low = Some(value),
                (gimli::DW_AT_high_pc, value) => entry.high = Some(value),
                (gimli::DW_AT_ranges, value) => entry.ranges = Some(value),
                (gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name, value) => entry.linkage_name = Some(value),
                (gimli::DW_AT_name, value) => entry.name = Some(value),
                (gimli::DW_AT_abstract_origin | gimli::DW_AT_specification, value) => entry.origin = Some(value),
                (gimli::DW_AT_call_file, AttributeValue::FileIndex(file)) => entry.call.file = file,
                (gimli::DW_AT_call_line, value) => entry.call.line = value.udata_value().unwrap_or(0),
                (gimli::DW_AT_sibling, AttributeValue::UnitRef(offset)) => entry.sibling = Some(offset.0),
                _ => {}
            }
        }
        Ok(entry)
    }
}

impl Sections {
    /// The name that an entry has, or what it refers to.
    fn name(&self, unit: &Unit, entry: &Entry) -> Option<String> {
        let own = entry.linkage_name.as_ref().or(entry.name.as_ref());
        if let Some(name) = own.and_then(|name| self.text(unit, name)) {
            return Some(name);
        }
        let mut elsewhere: Option<Unit> = None;
        let mut next = entry.origin.clone();
        let mut plain = None;
        for _ in 0..REFERENCES {
            let offset = match next? {
                AttributeValue::UnitRef(offset) => offset.0,
                AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => {
                    let start = self.start_of_unit(offset)?;
                    elsewhere = Some(self.unit(start).ok()?);
                    offset.checked_sub(start)?
                }
                _ => return plain,
            };
            let here = elsewhere.as_ref().unwrap_or(unit);
            let mut entries = Self::entries(here, offset).ok()?;
            let abbreviation = entries.read_abbreviation().ok()??;
            let entry = Entry::read(&mut entries, abbreviation).ok()?;
            if let Some(name) = entry.linkage_name.as_ref().and_then(|name| self.text(here, name)) {
                return Some(name);
            }
            // A declaration may still tell the linker's name, with the class that it belongs to.
            plain = plain.or_else(|| entry.name.as_ref().and_then(|name| self.text(here, name)));
            if entry.origin.is_none() {
                return plain;
            }
            next = entry.origin;
        }
        plain
    }

    /// Offset of the unit that an offset lies in.
    fn start_of_unit(&self, offset: usize) -> Option<usize> {
        let mut headers = self.info.units();
        while let Ok(Some(header)) = headers.next() {
            let start = header.debug_info_offset()?.0;
            if (start..start.saturating_add(header.length_including_self())).contains(&offset) {
                return Some(start);
            }
        }
        None
    }
}
