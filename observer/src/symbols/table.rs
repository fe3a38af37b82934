//! The symbol table of an ELF file, sorted: 16 bytes a function in memory, names stay in the file.

use zerocopy::{FromBytes, Immutable, KnownLayout, little_endian as le};

use super::{
    area::Area,
    elf::{Elf, Section},
};

/// Longest mangled name that is read: those of nested generics reach some thousand bytes.
const NAME: u64 = 8192;

/// How many functions that begin before an address are asked whether they reach it. They only overlap where assembly
/// gives several names to one place.
const ENCLOSING: usize = 16;

const SHN_UNDEF: usize = 0;
const STT_NOTYPE: u8 = 0;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;

/// Functions by address.
pub(super) struct Table {
    functions: Vec<Function>,
    names: Area,
}

#[derive(Clone, Copy)]
struct Function {
    start: u64,
    size: u32,
    name: u32,
}

/// An entry in the file.
#[derive(FromBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Entry {
    name: le::U32,
    info: u8,
    other: u8,
    section: le::U16,
    value: le::U64,
    size: le::U64,
}

/// A function that an address lies in.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// Its name as it stands in the table.
    pub(super) name: String,
    /// Its address before relocation.
    pub(super) start: u64,
}

impl Table {
    /// Reads `.symtab`, or what is left of it in a stripped file, `.dynsym`; None when there is neither, or it needs
    /// more than so many bytes of memory.
    pub(super) fn open(elf: &Elf, most: usize) -> Option<Self> {
        let whole = elf.section(".symtab").and_then(|section| Self::read(elf, section, true, most));
        whole.or_else(|| Self::read(elf, elf.section(".dynsym")?, false, most))
    }

    /// `whole`: every function is in the table. Then one without a size reaches to the next; in a table of exported
    /// names it would swallow all that is not exported.
    fn read(elf: &Elf, section: &Section, whole: bool, most: usize) -> Option<Self> {
        let entries = elf.contents(section)?;
        let names = elf.contents(elf.sections.get(section.link)?)?;
        const LEN: usize = size_of::<Entry>();
        let limit = most / size_of::<Function>();
        let mut functions = Vec::new();
        for index in 0..entries.len() / LEN as u64 {
            let mut bytes = [0; LEN];
            entries.read(index * LEN as u64, &mut bytes)?;
            let entry = Entry::read_from_bytes(&bytes).ok()?;
            let home = usize::from(entry.section.get());
            let code = elf.sections.get(home).is_some_and(|section| section.executable);
            let kind = entry.info & 15;
            let named = matches!(kind, STT_FUNC | STT_GNU_IFUNC) || (kind == STT_NOTYPE && whole);
            let sized = whole || entry.size.get() != 0;
            if entry.name.get() == 0 || home == SHN_UNDEF || !code || !named || !sized {
                continue;
            }
            if functions.len() >= limit {
                return None;
            }
            let size = u32::try_from(entry.size.get()).unwrap_or(u32::MAX);
            functions.push(Function { start: entry.value.get(), size, name: entry.name.get() });
        }
        if functions.is_empty() {
            return None;
        }
        functions.sort_unstable_by_key(|function| function.start);
        functions.shrink_to_fit();
        let mut table = Self { functions, names };
        table.bound(elf);
        Some(table)
    }

    /// Functions without a size reach to the next one, or to the end of their section.
    fn bound(&mut self, elf: &Elf) {
        let mut next = u64::MAX;
        let mut last = u64::MAX;
        for function in self.functions.iter_mut().rev() {
            if function.start != last {
                (next, last) = (last, function.start);
            }
            if function.size == 0 {
                let inside = |section: &&Section| function.start.wrapping_sub(section.address) < section.size;
                let home = elf.sections.iter().filter(|section| section.executable).find(inside);
                let end = home.map_or(function.start, |section| section.address.saturating_add(section.size)).min(next);
                function.size = end.saturating_sub(function.start).min(u64::from(u32::MAX)) as u32;
            }
        }
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.functions.capacity() * size_of::<Function>()
    }

    /// The function at an address before relocation.
    pub(super) fn find(&self, address: u64) -> Option<Found> {
        let end = self.functions.partition_point(|function| function.start <= address);
        let before = self.functions.get(..end)?;
        let reaches = |function: &&Function| address - function.start < u64::from(function.size);
        let start = before.iter().rev().take(ENCLOSING).find(reaches)?.start;
        let same = before.iter().rev().skip_while(|function| function.start != start);
        let names = same.take_while(|function| function.start == start).filter(reaches).take(ENCLOSING);
        let names = names.filter_map(|function| self.names.text(u64::from(function.name), NAME));
        // Of several names for one place the one that people know: `close` rather than `__libc_close`.
        let name = names.min_by_key(|name| (name.len() - name.trim_start_matches('_').len(), name.len()))?;
        let name = name.split_once('@').map_or(name.as_str(), |(name, _version)| name).to_owned();
        Some(Found { name, start })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::symbols::demangle::demangle;

    fn elf(path: &str) -> Elf {
        Elf::open(Area::file(File::open(path).unwrap()).unwrap()).unwrap()
    }

    fn table(sized: &[(u64, u32, &str)]) -> Table {
        let mut names = vec![0];
        let mut functions = Vec::new();
        for (start, size, name) in sized {
            functions.push(Function { start: *start, size: *size, name: names.len() as u32 });
            names.extend(name.as_bytes());
            names.push(0);
        }
        Table { functions, names: Area::memory(names) }
    }

    #[test]
    fn own_functions_are_found() {
        let elf = elf("/proc/self/exe");
        let table = Table::open(&elf, usize::MAX).unwrap();
        let own = own_functions_are_found as *const () as u64;
        // The loader has placed this program somewhere: the distance to another function of it stays.
        let other = every_name_is_read as *const () as u64;
        let found = table.functions.iter().filter_map(|function| table.find(function.start));
        let starts: Vec<(String, u64)> = found.map(|found| (found.name, found.start)).collect();
        let place = |name: &str| starts.iter().find(|(other, _)| demangle(other).ends_with(name)).unwrap().1;
        let distance = place("tests::own_functions_are_found").wrapping_sub(place("tests::every_name_is_read"));
        assert_eq!(own.wrapping_sub(other), distance);
    }

    #[test]
    fn every_name_is_read() {
        let elf = elf("/proc/self/exe");
        let table = Table::open(&elf, usize::MAX).unwrap();
        assert!(table.functions.len() > 1000);
        assert!(table.functions.iter().all(|function| table.names.text(u64::from(function.name), NAME).is_some()));
        assert!(Table::open(&elf, table.held() / 2).is_none(), "a table beyond the limit is refused");
    }

    #[test]
    fn an_address_belongs_to_the_function_that_reaches_it() {
        let table = table(&[(100, 10, "outer"), (100, 50, "whole"), (110, 5, "inner"), (200, 8, "last")]);
        let name = |address| table.find(address).map(|found| found.name);
        assert_eq!(name(99), None);
        assert_eq!(name(112), Some("inner".into()));
        assert_eq!(name(120), Some("whole".into()), "beyond the inner one, still in the outer");
        assert_eq!(name(150), None, "between functions");
        assert_eq!(name(207), Some("last".into()));
        assert_eq!(name(208), None);
        assert_eq!(name(u64::MAX), None);
    }

    #[test]
    fn of_several_names_the_plain_one_is_told() {
        let table = table(&[(100, 9, "__libc_close"), (100, 9, "close@@GLIBC_2.2.5"), (100, 9, "__close")]);
        assert_eq!(table.find(104), Some(Found { name: "close".into(), start: 100 }));
    }
}
