//! Tables of every format, made here: the toolchains that made them are old, or newer than those at hand.

use super::*;
use crate::symbols::{mutate::Mutations, window};

const TEXT: u64 = 0x1000;
const TABLE: u64 = 0x2000;
const TREES: u64 = 0x3000;
const DATA: u64 = 0x4000;

/// What a format looks like.
#[derive(Clone, Copy, Debug)]
struct Format {
    magic: u32,
    /// Go 1.26 and later: the end of the table follows `gofunc`, which is at this word.
    trees: Option<usize>,
}

const GO_12: Format = Format { magic: 0xffff_fffb, trees: None };
const GO_116: Format = Format { magic: 0xffff_fffa, trees: None };
const GO_118: Format = Format { magic: 0xffff_fff0, trees: None };
const GO_120: Format = Format { magic: 0xffff_fff1, trees: None };
const GO_126: Format = Format { magic: 0xffff_fff1, trees: Some(40) };
const GO_127: Format = Format { magic: 0xffff_fff1, trees: Some(43) };

const FORMATS: [Format; 6] = [GO_12, GO_116, GO_118, GO_120, GO_126, GO_127];

/// Bytes that are written at offsets.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = at as usize;
        self.0.resize(self.0.len().max(at + bytes.len()), 0);
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn add(&mut self, bytes: &[u8]) -> u64 {
        let at = self.0.len() as u64;
        self.0.extend(bytes);
        at
    }

    fn words(&mut self, at: u64, words: &[u64]) {
        self.put(at, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
    }

    fn halves(&mut self, at: u64, halves: &[u32]) {
        self.put(at, &halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<_>>());
    }
}

/// A table of values: each holds up to an offset in the function.
fn values(runs: &[(i32, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut value, mut at) = (-1, 0);
    for (next, end) in runs {
        let difference: i32 = next - value;
        for number in [((difference << 1) ^ (difference >> 31)) as u32, end - at] {
            let mut rest = number;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        (value, at) = (*next, *end);
    }
    bytes.push(0);
    bytes
}

/// `main.serve` from 0x1000 to 0x1100, into which `main.finish` is inlined from 0x1040 to 0x1050, called in line 12; then
/// `net/http.(*persistConn).readLoop` up to 0x1200.
fn table(format: Format) -> Vec<u8> {
    const FUNCTIONS: u64 = 0x100;
    let absolute = format.magic >= GO_116.magic;
    // In the first format all offsets are counted from the start, and the functions follow the header.
    let go12 = format.magic == GO_12.magic;
    let functions = if go12 { 16 } else { FUNCTIONS };
    let mut table = Bytes::default();
    table.halves(0, &[format.magic, 0x0801_0000]);
    table.words(FUNCTIONS, &[0; 8]);
    let add = |table: &mut Bytes, base: u64, bytes: &[u8]| (table.add(bytes) - if go12 { 0 } else { base }) as u32;

    let names = table.add(b"\0");
    let [serve, finish, read_loop] = ["main.serve\0", "main.finish\0", "net/http.(*persistConn).readLoop\0"]
        .map(|name| add(&mut table, names, name.as_bytes()));
    let files = table.add(b"\0");
    let [main, transport] =
        ["/src/main.go\0", "/go/src/net/http/transport.go\0"].map(|file| add(&mut table, files, file.as_bytes()));
    // Numbers of files begin with 1.
    let units = table.0.len().next_multiple_of(8) as u64;
    table.halves(units, &[3, main, transport]);
    let pcs = table.add(&[0]);
    let [lines, file, inlined, loop_lines, loop_file] = [
        &[(11, 0x20), (12, 0x40), (77, 0x50), (13, 0x100)][..],
        &[(1, 0x100)],
        &[(-1, 0x40), (0, 0x50), (-1, 0x100)],
        &[(2000, 0x100)],
        &[(2, 0x100)],
    ]
    .map(|runs| add(&mut table, pcs, &values(runs)));

    let mut record = |entry: u64, name, file, line, inlined, tree| {
        let mut record = Bytes::default();
        if absolute {
            record.words(0, &[TEXT + entry])
        } else {
            record.halves(0, &[entry as u32])
        }
        let unit = 0;
        let fixed = [name, 0, 0, 0, file, line, 3, unit];
        record.halves(record.0.len() as u64, &fixed);
        if format.magic == GO_120.magic {
            let start_line = 10;
            record.halves(record.0.len() as u64, &[start_line]);
        }
        record.add(&[0, 0, 0, 4]);
        record.halves(record.0.len() as u64, &[0, 0, inlined, u32::MAX, u32::MAX, u32::MAX, tree]);
        let at = table.0.len().next_multiple_of(8) as u64;
        table.put(at, &record.0);
        if go12 { at } else { at - functions }
    };
    let first = record(0, serve, file, lines, inlined, 0x10);
    let second = record(0x100, read_loop, loop_file, loop_lines, 0, u32::MAX);
    if absolute {
        table.words(functions, &[TEXT, first, TEXT + 0x100, second, TEXT + 0x200]);
    } else {
        table.halves(functions, &[0, first as u32, 0x100, second as u32, 0x200]);
    }
    match format.magic {
        magic if magic == GO_12.magic => {
            table.words(8, &[2]);
            table.halves(functions + 5 * 8, &[units as u32]);
        }
        magic if magic == GO_116.magic => table.words(8, &[2, 3, names, units, files, pcs, functions]),
        // Where the code begins is left to `moduledata`.
        _ => table.words(8, &[2, 3, 0, names, units, files, pcs, functions]),
    }
    // The tree's one node, in the two shapes.
    let node = if format.magic == GO_118.magic { vec![0, 0, 0, finish, 0x20] } else { vec![0, finish, 0x20, 10] };
    table.halves(TREES - TABLE + 0x10, &node);
    table.0
}

/// A program with the table, loaded as it lies in the file.
fn program(format: Format) -> Vec<u8> {
    let table = table(format);
    // Inline trees are part of the table since Go 1.26.
    let end = if format.trees.is_some() { TREES + 0x100 } else { TREES - 0x100 };
    let word = |index: u64| u64::from_le_bytes(table[8 + index as usize * 8..][..8].try_into().unwrap());
    let mut module = vec![0; 48];
    (module[0], module[1], module[13], module[22]) = (TABLE, TABLE + word(3), TABLE + word(7), TEXT);
    module[format.trees.unwrap_or(if format.magic == GO_118.magic { 38 } else { 40 })] = TREES;
    if let Some(trees) = format.trees {
        module[trees + 1] = end;
    }
    let mut file = Bytes::default();
    file.put(0, b"\x7fELF\x02\x01");
    file.words(32, &[64, 0x5000]);
    file.put(56, &[3, 0]);
    file.put(60, &[4, 0, 3, 0]);
    for (index, (start, size, flags)) in [(TEXT, 0x200, 5u32), (TABLE, 0x1800, 4), (DATA, 0x300, 6)].iter().enumerate()
    {
        let at = 64 + index as u64 * 56;
        file.halves(at, &[1, *flags]);
        file.words(at + 8, &[*start, *start, *start, *size, *size, 4096]);
    }
    file.put(TABLE, &table);
    file.words(DATA + 0x80, &module);
    let names = b"\0.text\0.gopclntab\0.shstrtab\0";
    let sections = [(1u32, TEXT, 0x200), (7, TABLE, end - TABLE), (18, 0x4f00, names.len() as u64)];
    file.put(0x4f00, names);
    for (index, (name, start, size)) in sections.iter().enumerate() {
        let at = 0x5000 + (index as u64 + 1) * 64;
        file.halves(at, &[*name, 1]);
        file.words(at + 8, &[if *name == 1 { 4 } else { 0 }, *start, *start, *size, 0, 0, 0]);
    }
    file.0
}

fn open(bytes: Vec<u8>) -> Option<Golang> {
    Golang::open(&Elf::open(Area::memory(bytes))?)
}

fn told(golang: &Golang, address: u64) -> Vec<String> {
    let calls = golang.find(address).unwrap_or_default();
    let tell = |call: &Call| {
        let into = call.into.map(|into| format!("+{into:#x}")).unwrap_or_default();
        format!("{}{into} {}:{}", call.name.as_ref().unwrap(), call.file.as_ref().unwrap(), call.line.unwrap())
    };
    calls.iter().map(tell).collect()
}

#[test]
fn every_format_tells_function_file_and_line() {
    for format in FORMATS {
        let golang = open(program(format)).unwrap_or_else(|| panic!("{format:x?}"));
        assert_eq!(told(&golang, 0x1010), ["main.serve+0x10 /src/main.go:11"], "{format:x?}");
        assert_eq!(told(&golang, 0x10ff), ["main.serve+0xff /src/main.go:13"]);
        let read_loop = "net/http.(*persistConn).readLoop+0x0 /go/src/net/http/transport.go:2000";
        assert_eq!(told(&golang, 0x1100), [read_loop]);
        assert!(golang.find(0xfff).is_none());
        assert!(golang.find(0x1200).is_none());
        assert!(golang.find(u64::MAX).is_none());
    }
}

#[test]
fn inlined_calls_are_told_since_go_1_18() {
    for format in FORMATS {
        let golang = open(program(format)).unwrap();
        let outer = "main.serve+0x45 /src/main.go";
        if format.magic >= GO_116.magic {
            assert_eq!(told(&golang, 0x1045), [format!("{outer}:77")], "{format:x?}");
        } else {
            assert_eq!(
                told(&golang, 0x1045),
                ["main.finish /src/main.go:77".into(), format!("{outer}:12")],
                "{format:x?}"
            );
        }
    }
}

#[test]
fn every_prefix_and_any_mutation_of_a_program_is_read_or_refused() {
    let ask = |bytes: Vec<u8>| {
        let _allowance = window::allow(1 << 20);
        if let Some(golang) = open(bytes) {
            for address in [0, 0x1010, 0x1045, 0x1100, 0x11ff, u64::MAX] {
                let calls = golang.find(address).unwrap_or_default();
                assert!(calls.len() <= DEPTH + 1);
                assert!(calls.iter().all(|call| call.name.as_ref().is_none_or(|name| name.len() as u64 <= NAME * 3)));
            }
        }
    };
    for (number, format) in FORMATS.into_iter().enumerate() {
        let whole = program(format);
        for len in (0..whole.len()).step_by(97) {
            ask(whole[..len].to_vec());
        }
        // Most of a file is empty: what is read lies here.
        for part in [0..64 + 3 * 56, TABLE as usize..TABLE as usize + 0x400, DATA as usize..0x5100] {
            for bytes in Mutations::of(&whole[part.clone()], number as u64).take(1500) {
                let mut damaged = whole.clone();
                damaged.splice(part.clone(), bytes);
                ask(damaged);
            }
        }
    }
}
