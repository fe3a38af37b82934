//! Finds `.gopclntab`. Linkers other than Go's own may merge it with other data that is to be relocated.

use super::header::Layout;
use crate::symbols::elf::{Elf, Section};

/// The table and its address before relocation.
pub(super) fn layout(elf: &Elf) -> Option<(u64, Layout)> {
    let named = elf.sections.iter().find(|section| section.name.ends_with(".gopclntab"));
    if let Some(section) = named {
        return Some((section.address, Layout::read(elf.contents(section)?)?));
    }
    // Sections that only Go programs have.
    let golang = [".go.buildinfo", ".note.go.buildid"].iter().any(|name| elf.section(name).is_some());
    let merged = elf.section(".data.rel.ro").filter(|_| golang)?;
    within(elf, merged)
}

/// A table somewhere in a section.
fn within(elf: &Elf, section: &Section) -> Option<(u64, Layout)> {
    const ALIGNMENT: u64 = 32;
    let area = elf.contents(section)?;
    let first = section.address.wrapping_neg() % ALIGNMENT;
    (first..area.len()).step_by(ALIGNMENT as usize).find_map(|at| {
        // Most places are refused by their first word.
        area.u32(at).filter(|magic| *magic >= 0xffff_fff0)?;
        Some((section.address.wrapping_add(at), Layout::read(area.rest(at, u64::MAX)?)?))
    })
}
