//! Go programs, stripped ones too: the runtime itself needs names and lines of all functions for its tracebacks and keeps
//! them in `.gopclntab`. Lookups read the few bytes they need; nothing is indexed.

mod header;
mod inline;
mod module;
mod pcvalue;
mod search;

use header::Table;
use module::Module;

use super::{area::Area, call::Call, elf::Elf};

/// Longest name of a function or file that is read.
const NAME: u64 = 4096;

/// Inlined calls within each other that are followed.
const DEPTH: usize = 64;

/// The function table of a Go program.
pub(super) struct Golang {
    table: Table,
    /// What of the file is loaded behind the address that inline trees are counted from.
    trees: Option<Area>,
}

impl Golang {
    /// None when this is no Go program.
    pub(super) fn open(elf: &Elf) -> Option<Self> {
        let (address, layout) = search::layout(elf)?;
        let module = Module::find(elf, address, &layout);
        let text = module.as_ref().map(|module| module.text).or_else(|| layout.text(elf))?;
        let trees = module.and_then(|module| elf.memory_behind(module.inline_trees?));
        Some(Self { table: Table::new(layout, text)?, trees })
    }

    /// The calls at an address, the innermost first; the last one is a function of its own. None where there is no Go.
    pub(super) fn find(&self, address: u64) -> Option<Vec<Call>> {
        let function = self.table.function(address)?;
        let name = self.table.name(function.name).filter(|name| !name.is_empty())?;
        let mut calls = Vec::new();
        let mut at = address;
        while let Some(inlined) = self.trees.as_ref().and_then(|trees| inline::call(&self.table, &function, trees, at))
        {
            let (file, line) = self.table.place(&function, at);
            calls.push(Call { name: self.table.name(inlined.name), file, line, into: None });
            at = inlined.parent;
            if calls.len() >= DEPTH {
                break;
            }
        }
        let (file, line) = self.table.place(&function, at);
        calls.push(Call { name: Some(name), file, line, into: Some(address - function.entry) });
        Some(calls)
    }
}

#[cfg(test)]
mod tests;
