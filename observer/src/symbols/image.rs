//! One file with code: its sources of symbols, the best one first. They are opened when they are first asked.

use super::{
    area::Area,
    call::Call,
    demangle::demangle,
    dwarf::{Dwarf, Unwind},
    elf::Elf,
    golang::Golang,
    open,
    site::{self, Site},
    table::Table,
    window,
};

/// Bytes that one question may read of a file: the index of a program of a million functions takes 30 MB, and 10 ns for
/// each byte of 256 MB would be some seconds.
const ALLOWANCE: u64 = 256 << 20;

/// A file with code.
pub(super) struct Image {
    elf: Elf,
    /// Separate debug information, if it is needed.
    debug: Option<Elf>,
    names: Option<Names>,
    /// Debug information; None inside when there is none.
    dwarf: Option<Option<Dwarf>>,
    /// Frames for exception handling; likewise.
    unwind: Option<Option<Unwind>>,
}

/// Where names of functions come from.
struct Names {
    golang: Option<Golang>,
    table: Option<Table>,
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Depth {
    /// Names of functions, and of Go programs everything.
    Names,
    /// Debug information, too: it may be compressed and large.
    Whole,
}

impl Image {
    /// Reads the headers; None when this is no ELF file.
    pub(super) fn open(area: Area) -> Option<Self> {
        let _allowance = window::allow(ALLOWANCE);
        Some(Self { elf: Elf::open(area)?, debug: None, names: None, dwarf: None, unwind: None })
    }

    pub(super) fn elf(&self) -> &Elf {
        &self.elf
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        /// Sections and segments.
        const HEADERS: usize = 8 << 10;
        let table = self.names.as_ref().and_then(|names| names.table.as_ref());
        let dwarf = self.dwarf.as_ref().and_then(Option::as_ref);
        HEADERS + table.map_or(0, Table::held) + dwarf.map_or(0, Dwarf::held)
    }

    /// The calls at offsets in the file, the innermost first, empty where nothing is known; and how deep it was looked.
    /// No more than so many bytes are kept in memory.
    pub(super) fn find(&mut self, offsets: &[u64], depth: Depth, most: usize) -> (Vec<Vec<Call>>, Depth) {
        let _allowance = window::allow(ALLOWANCE);
        let names = match &mut self.names {
            Some(names) => names,
            none => none.insert(Names::open(&self.elf, &mut self.debug, most)),
        };
        // What Go's debug information tells is in its own table, too.
        let has_more =
            names.golang.is_none() && [Some(&self.elf), self.debug.as_ref()].into_iter().flatten().any(has_lines);
        let mut dwarf = None;
        if depth == Depth::Whole && has_more {
            let open =
                || [self.debug.as_ref(), Some(&self.elf)].into_iter().flatten().find_map(|elf| Dwarf::open(elf, most));
            dwarf = self.dwarf.get_or_insert_with(open).as_mut();
        }
        let addresses: Vec<Option<u64>> = offsets.iter().map(|offset| self.elf.address(*offset)).collect();
        let known: Vec<u64> = addresses.iter().flatten().copied().collect();
        let mut lines = dwarf.map(|dwarf| dwarf.find(&known)).unwrap_or_default().into_iter();
        let call = |address: &Option<u64>| {
            let Some(address) = address else { return Vec::new() };
            let calls = lines.next().unwrap_or_default();
            names.golang.as_ref().and_then(|golang| golang.find(*address)).unwrap_or_else(|| names.add(calls, *address))
        };
        let found = addresses.iter().map(call).collect();
        (found, if has_more { depth } else { Depth::Whole })
    }

    /// What the code at offsets in the file tells of calls.
    pub(super) fn sites(&mut self, offsets: &[u64]) -> Vec<Site> {
        let _allowance = window::allow(ALLOWANCE);
        let Self { elf, unwind, .. } = self;
        let unwind = unwind.get_or_insert_with(|| Unwind::open(elf)).as_ref();
        let site = |offset: &u64| Site {
            returns: unwind.zip(elf.address(*offset)).and_then(|(unwind, address)| unwind.return_address(address)),
            calls: site::is_behind_call(&elf.area, offset.saturating_add(1)),
        };
        offsets.iter().map(site).collect()
    }
}

fn has_lines(elf: &Elf) -> bool {
    elf.section(".debug_info").is_some_and(|section| section.is_in_file())
}

impl Names {
    /// Opens separate debug information where the file itself has less.
    fn open(elf: &Elf, debug: &mut Option<Elf>, most: usize) -> Self {
        let golang = Golang::open(elf);
        if golang.is_none() && !(has_lines(elf) && elf.section(".symtab").is_some()) {
            let file = elf.build_id.as_ref().and_then(|id| open::debug_file(id));
            *debug = file.and_then(|file| Elf::open(Area::file(file).ok()?));
        }
        let separate = debug.as_ref().filter(|debug| debug.section(".symtab").is_some());
        let table = separate.and_then(|debug| Table::open(debug, most)).or_else(|| Table::open(elf, most));
        Self { golang, table }
    }

    /// Adds what the symbol table knows of the function itself.
    fn add(&self, mut calls: Vec<Call>, address: u64) -> Vec<Call> {
        if let Some(found) = self.table.as_ref().and_then(|table| table.find(address)) {
            if calls.is_empty() {
                calls.push(Call::default());
            }
            if let Some(function) = calls.last_mut() {
                function.name = Some(demangle(&found.name));
                function.into = Some(address - found.start);
            }
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::symbols::mutate::Mutations;

    const SOURCE: &str = "
static inline __attribute__((always_inline)) int inlined(int value) { return value * value + 1; }
struct list { struct list *next; int value; };
int sum(struct list *list) { int sum = 0; for (; list; list = list->next) sum += inlined(list->value); return sum; }
int main(int count, char **names) { struct list last = {0, count}, first = {&last, 7}; return sum(&first); }
";

    /// A small program, compiled with these flags.
    fn program(name: &str, flags: &[&str]) -> Vec<u8> {
        let folder = std::env::temp_dir().join(format!("image-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("image.c"), SOURCE).unwrap();
        let mut command = Command::new("cc");
        let status = command.args(flags).args(["-g", "-O1", "-o", "image", "image.c"]).current_dir(&folder).status();
        assert!(status.unwrap().success());
        let bytes = fs::read(folder.join("image")).unwrap();
        fs::remove_dir_all(folder).unwrap();
        bytes
    }

    fn find(bytes: &[u8], offsets: &[u64]) -> Vec<Vec<Call>> {
        let Some(mut image) = Image::open(Area::memory(bytes.to_vec())) else { return Vec::new() };
        let (found, _) = image.find(offsets, Depth::Whole, 1 << 20);
        assert_eq!(found.len(), offsets.len());
        assert_eq!(image.sites(offsets).len(), offsets.len());
        found
    }

    #[test]
    fn any_damage_to_a_program_is_survived() {
        for (number, flags) in [&["-gdwarf-5"][..], &["-gdwarf-4"], &["-gdwarf-5", "-gz=zlib"]].into_iter().enumerate()
        {
            let whole = program(&number.to_string(), flags);
            let text = Elf::open(Area::memory(whole.clone())).unwrap();
            let code = text.segments.iter().find(|segment| segment.executable).unwrap();
            let offsets: Vec<u64> = (code.offset..code.offset + code.size).step_by(3).collect();
            let names = |found: &[Vec<Call>]| {
                let calls = found.iter().flatten().filter(|call| call.line.is_some());
                calls.filter_map(|call| call.name.clone()).collect::<Vec<_>>()
            };
            let told = names(&find(&whole, &offsets));
            assert!(["sum", "main", "inlined"].iter().all(|name| told.iter().any(|other| other == name)), "{told:?}");
            for len in (0..whole.len()).step_by(131) {
                find(&whole[..len], &offsets);
            }
            // Headers at both ends, and everything else in pieces.
            let mut survived = 0;
            for part in (0..whole.len() - 64).step_by(48).chain([0; 40]).chain([whole.len() - 1024; 40]) {
                let part = part..(part + 64).min(whole.len());
                for bytes in Mutations::of(&whole[part.clone()], (number + part.start) as u64).take(6) {
                    let mut damaged = whole.clone();
                    damaged.splice(part.clone(), bytes);
                    survived += usize::from(!find(&damaged, &offsets).is_empty());
                }
            }
            assert!(survived > 100, "most are still programs");
        }
    }
}
