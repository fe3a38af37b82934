//! `runtime.firstmoduledata`: where the code begins and inline trees lie. Stripped programs have no symbol for it, but it
//! begins with the address of `.gopclntab`.

use super::header::{Layout, Version};
use crate::symbols::elf::Elf;

/// Words of `moduledata` that are read (`runtime/symtab.go`).
const WORDS: u64 = 48;

const FUNCTION_NAMES: usize = 1;
const FUNCTIONS: usize = 13;
const TEXT: usize = 22;
/// `gofunc`, in Go 1.18.
const TREES_118: usize = 38;
/// The same from Go 1.20 on, until the table's end was told behind it.
const TREES_120: usize = 40;

/// Relocation: the load address plus a number.
const R_X86_64_RELATIVE: u64 = 8;

/// A relocation, bytes.
const RELOCATION: u64 = 24;

/// What the runtime knows of the program.
pub(super) struct Module {
    /// Address of the code, before relocation.
    pub(super) text: u64,
    /// What inline trees are counted from.
    pub(super) inline_trees: Option<u64>,
}

impl Module {
    /// `address`: the one of `.gopclntab`.
    pub(super) fn find(elf: &Elf, address: u64, layout: &Layout) -> Option<Self> {
        if layout.version < Version::Go118 {
            return None;
        }
        let fits = |words: &Vec<u64>| {
            words.get(FUNCTION_NAMES) == address.checked_add(layout.names).as_ref()
                && words.get(FUNCTIONS) == address.checked_add(layout.functions).as_ref()
        };
        let words = relocated(elf, address).filter(fits).or_else(|| in_place(elf, address, fits))?;
        // Since Go 1.26 the end of the table follows `gofunc`, wherever that is.
        let end = address.wrapping_add(layout.area.len());
        let before_end = words.iter().skip(TREES_118 + 1).position(|word| *word == end).map(|index| TREES_118 + index);
        let usual = if layout.version == Version::Go118 { TREES_118 } else { TREES_120 };
        let inline_trees = words.get(before_end.unwrap_or(usual)).copied().filter(|trees| *trees != 0);
        Some(Self { text: *words.get(TEXT)?, inline_trees })
    }
}

/// The words behind one with this value, from relocations: in position-independent programs.
fn relocated(elf: &Elf, value: u64) -> Option<Vec<u64>> {
    let section = [".rela.dyn", ".rela"].iter().find_map(|name| elf.section(name))?;
    let relocations = elf.contents(section)?;
    let entries = || (0..relocations.len() / RELOCATION).map(|index| index * RELOCATION);
    let relative = |at: u64| (relocations.u64(at + 8) == Some(R_X86_64_RELATIVE)).then(|| relocations.u64(at + 16));
    let start = entries().find(|at| relative(*at).flatten() == Some(value)).and_then(|at| relocations.u64(at))?;
    let mut words = vec![0; WORDS as usize];
    for at in entries() {
        let into = relocations.u64(at)?.wrapping_sub(start);
        let word = if into % 8 == 0 { words.get_mut((into / 8) as usize) } else { None };
        if let (Some(word), Some(Some(value))) = (word, relative(at)) {
            *word = value;
        }
    }
    Some(words)
}

/// The words behind one with this value, from data that is loaded as it is.
fn in_place(elf: &Elf, value: u64, fits: impl Fn(&Vec<u64>) -> bool) -> Option<Vec<u64>> {
    // Data comes last.
    for segment in elf.segments.iter().rev().filter(|segment| !segment.executable) {
        let area = elf.area.part(segment.offset, segment.size)?;
        for at in (0..area.len() / 8).map(|index| index * 8) {
            if area.u64(at)? != value {
                continue;
            }
            let words = (0..WORDS).map_while(|index| area.u64(at + index * 8)).collect();
            if fits(&words) {
                return Some(words);
            }
        }
    }
    None
}
