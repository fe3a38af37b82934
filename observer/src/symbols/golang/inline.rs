//! Calls that the compiler has inlined, from the tree that the runtime keeps for its tracebacks
//! (`runtime/symtabinl.go`). Since Go 1.18: before, the tree was found by pointers.

use super::header::{Function, Table, Version};
use crate::symbols::area::Area;

/// Table of the index into the tree (`PCDATA_InlTreeIndex`).
const INDEX: u64 = 2;

/// The tree itself (`FUNCDATA_InlTree`).
const TREE: u64 = 3;

/// Marks data that a function does not have.
const NONE: u32 = u32::MAX;

/// An inlined call.
pub(super) struct Inlined {
    /// Offset of the name.
    pub(super) name: u32,
    /// An address with the file and line of the call.
    pub(super) parent: u64,
}

/// The call that is inlined at an address, if any. `trees` is what inline trees are counted from.
pub(super) fn call(table: &Table, function: &Function, trees: &Area, address: u64) -> Option<Inlined> {
    const TABLES: u64 = 24;
    let go120 = match table.version() {
        Version::Go12 | Version::Go116 => return None,
        Version::Go118 => false,
        Version::Go120 => true,
    };
    // The offsets of tables, then those of data, follow the record's fixed part: the line that a function starts at
    // came with Go 1.20. Its last byte is the count of data.
    let fixed = if go120 { 40 } else { 36 };
    let record = &function.record;
    let tables = u64::from(record.u32(TABLES)?);
    let data = u64::from(record.u8(fixed - 1)?);
    if INDEX >= tables || TREE >= data {
        return None;
    }
    let index = u64::from(table.value(function, fixed + INDEX * 4, address)?);
    let tree = record.u32(fixed + (tables + TREE) * 4).filter(|tree| *tree != NONE)?;
    // A node of the tree has its name and the place of the call at:
    let (size, name, parent) = if go120 { (16, 4, 8) } else { (20, 12, 16) };
    let node = u64::from(tree) + index * size;
    let parent = function.entry.checked_add(u64::from(trees.u32(node + parent)?))?;
    let sane = parent < function.end && parent != address;
    sane.then_some(Inlined { name: trees.u32(node + name)?, parent })
}
