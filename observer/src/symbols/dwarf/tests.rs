//! Debug information that no compiler makes. What compilers make is tested with real programs.

use std::time::{Duration, Instant};

use super::*;
use crate::symbols::window;

/// Sections with these contents.
fn sections(info: Vec<u8>, abbreviations: Vec<u8>, lines: Vec<u8>) -> Sections {
    let empty = || Bytes::new(Area::memory(Vec::new()));
    Sections {
        info: DebugInfo::from(Bytes::new(Area::memory(info))),
        abbreviations: Area::memory(abbreviations),
        aranges: Area::memory(Vec::new()),
        lines: Area::memory(lines),
        strings: DebugStr::from(empty()),
        line_strings: DebugLineStr::from(empty()),
        string_offsets: DebugStrOffsets::from(empty()),
        addresses: DebugAddr::from(empty()),
        ranges: RangeLists::new(DebugRanges::from(empty()), DebugRngLists::from(empty())),
    }
}

/// A unit of DWARF 4 with these entries.
fn unit(entries: &[u8]) -> Vec<u8> {
    let mut info = (entries.len() as u32 + 7).to_le_bytes().to_vec();
    info.extend([4, 0, 0, 0, 0, 0, 8]);
    info.extend(entries);
    info
}

/// 1: a unit with line numbers at an offset. 2: a function from an address on, of 64 bytes. 3: the same, inlined. All
/// have children. 4: an inlined function that says it is defined 1 byte further on in the unit.
const ABBREVIATIONS: &[u8] = &[
    1, 0x11, 1, 0x10, 0x17, 0, 0, // compile_unit: stmt_list sec_offset
    2, 0x2e, 1, 0x11, 0x01, 0x12, 0x0b, 0, 0, // subprogram: low_pc addr, high_pc data1
    3, 0x1d, 1, 0x11, 0x01, 0x12, 0x0b, 0x58, 0x0b, 0x59, 0x0b, 0, 0, // and call_file, call_line data1
    4, 0x1d, 1, 0x11, 0x01, 0x12, 0x0b, 0x31, 0x13, 0, 0, // and abstract_origin ref4
    0,
];

fn function(code: u8, rest: &[u8]) -> Vec<u8> {
    let mut entry = vec![code];
    entry.extend(0x1000u64.to_le_bytes());
    entry.push(64);
    entry.extend(rest);
    entry
}

fn find(sections: Sections, address: u64) -> Vec<Call> {
    let _allowance = window::allow(64 << 20);
    let mut calls = Vec::new();
    sections.walk(0, &mut [(address, &mut calls)]);
    calls
}

#[test]
fn nesting_without_end_takes_neither_the_stack_nor_time() {
    let mut entries = vec![1, 0, 0, 0, 0];
    entries.extend(function(2, &[]));
    for _ in 0..200_000 {
        entries.extend(function(3, &[1, 7]));
    }
    let start = Instant::now();
    let calls = find(sections(unit(&entries), ABBREVIATIONS.to_vec(), Vec::new()), 0x1010);
    assert!(calls.len() > 10 && calls.len() <= 65, "{}", calls.len());
    assert_eq!(calls.last().unwrap().into, Some(0x10));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn references_in_a_circle_end() {
    let mut entries = vec![1, 0, 0, 0, 0];
    entries.extend(function(2, &[]));
    let own = 11 + entries.len() as u32;
    entries.extend(function(4, &own.to_le_bytes()));
    let calls = find(sections(unit(&entries), ABBREVIATIONS.to_vec(), Vec::new()), 0x1010);
    assert_eq!(calls.iter().map(|call| call.name.clone()).collect::<Vec<_>>(), [None, None]);
}

/// A header of DWARF 5 line numbers with these tables, and a program.
fn lines(tables: &[u8], program: &[u8]) -> Vec<u8> {
    let mut header = vec![1, 1, 1, 0, 1, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1];
    header.extend(tables);
    let mut lines = ((header.len() + program.len() + 8) as u32).to_le_bytes().to_vec();
    lines.extend([5, 0, 8, 0]);
    lines.extend((header.len() as u32).to_le_bytes());
    lines.extend(header);
    lines.extend(program);
    lines
}

/// Address 0x1000, line 5; 0x20 further the end.
const PROGRAM: &[u8] = &[0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 3, 4, 1, 2, 0x20, 0, 1, 1];

#[test]
fn entries_that_take_no_bytes_are_not_counted_out() {
    let entries = [&[1, 0, 0, 0, 0][..], &function(2, &[])].concat();
    let line = |tables: &[u8]| {
        let start = Instant::now();
        let calls = find(sections(unit(&entries), ABBREVIATIONS.to_vec(), lines(tables, PROGRAM)), 0x1010);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        (calls[0].line, calls[0].file.clone())
    };
    // One folder and two files, named in place; file 1 is the second one.
    let named = [&[1, 1, 8, 1][..], b"/src\0", &[2, 1, 8, 2, 11, 2], b"a.c\0", &[0], b"b.c\0", &[0]].concat();
    assert_eq!(line(&named), (Some(5), Some("/src/b.c".into())));
    // 2^63 - 1 folders without a field, then with one that takes no bytes: a block without contents.
    let many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(line(&[&[0][..], &many].concat()), (Some(5), None));
    assert_eq!(line(&[&[1, 1, 9][..], &many, &[0; 1 << 12]].concat()), (Some(5), None));
}

#[test]
fn a_program_without_end_ends() {
    let entries = [&[1, 0, 0, 0, 0][..], &function(2, &[])].concat();
    // One instruction that changes nothing, again and again.
    let program = [&[0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 1][..], &vec![1; 20 << 20]].concat();
    let start = Instant::now();
    let calls = find(sections(unit(&entries), ABBREVIATIONS.to_vec(), lines(&[], &program)), 0x1010);
    assert_eq!(calls[0].line, None);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
