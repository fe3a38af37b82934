//! Perf maps: names of code that a just-in-time compiler has made, one `START SIZE NAME` a line, in
//! `/tmp/perf-PID.map`. Node writes one with `--perf-basic-prof`, the JVM with an agent, .NET with `DOTNET_PerfMapEnabled`.

use std::{
    fs::File,
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

/// Longest name that is kept, bytes.
const NAME: usize = 512;

/// Functions before an address that are asked whether they reach it: older ones, whose place was used again.
const OVERLAPPING: usize = 32;

/// What a perf map says. Compilers only append to it, so it is read on from where it ended before.
#[derive(Clone, Default)]
pub(super) struct PerfMap {
    functions: Vec<Function>,
    /// Names, each ended by a newline.
    names: String,
    /// Device and inode.
    file: Option<(u64, u64)>,
    len: u64,
    /// Up to where the file was read: the last line may have been incomplete.
    read: u64,
}

#[derive(Clone, Copy)]
struct Function {
    start: u64,
    size: u32,
    /// Offset of the name: later lines have higher ones.
    name: u32,
}

impl PerfMap {
    /// Whether all of the file is known.
    pub(super) fn is_current(&self, file: &File) -> bool {
        file.metadata()
            .is_ok_and(|metadata| self.file == Some((metadata.dev(), metadata.ino())) && self.len == metadata.len())
    }

    /// Reads what the file has grown by, at most so many bytes: of a longer one its end, where the newest code is.
    pub(super) fn follow(&mut self, file: &File, most: usize) -> Option<()> {
        let metadata = file.metadata().ok()?;
        let identity = Some((metadata.dev(), metadata.ino()));
        let len = metadata.len();
        if self.file != identity || len < self.read || self.held() > most {
            *self = Self { file: identity, ..Self::default() };
        }
        let most = most as u64 / 3;
        let start = self.read.max(len.saturating_sub(most));
        let mut text = vec![0; usize::try_from(len - start).ok()?];
        file.read_exact_at(&mut text, start).ok()?;
        // The last line may not be complete yet; the first one neither, where something was skipped.
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let first =
            if start == self.read { 0 } else { text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
        self.add(&String::from_utf8_lossy(text.get(first..complete).unwrap_or_default()));
        (self.read, self.len) = (start + complete as u64, len);
        Some(())
    }

    /// All of a text.
    #[cfg(any(test, fuzzing))]
    pub(super) fn of(text: &str) -> Self {
        let mut map = Self::default();
        map.add(text);
        map
    }

    fn add(&mut self, text: &str) {
        for (start, size, name) in text.lines().filter_map(line) {
            let Ok(at) = u32::try_from(self.names.len()) else { return };
            self.functions.push(Function { start, size, name: at });
            let cut = (0..=NAME.min(name.len())).rev().find(|cut| name.is_char_boundary(*cut)).unwrap_or(0);
            self.names.push_str(name.get(..cut).unwrap_or_default());
            self.names.push('\n');
        }
        self.functions.sort_by_key(|function| function.start);
    }

    /// Name and start of the function at an address.
    pub(super) fn find(&self, address: u64) -> Option<(&str, u64)> {
        let end = self.functions.partition_point(|function| function.start <= address);
        let before = self.functions.get(..end)?.iter().rev().take(OVERLAPPING);
        let here = before.filter(|function| address - function.start < u64::from(function.size));
        let newest = here.max_by_key(|function| function.name)?;
        let name = self.names.get(newest.name as usize..)?.lines().next()?;
        Some((name, newest.start))
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.functions.capacity() * size_of::<Function>() + self.names.capacity()
    }
}

/// `3ef414c0 398 RegExp:[{(]`
fn line(line: &str) -> Option<(u64, u32, &str)> {
    let (start, rest) = line.split_once(' ')?;
    let (size, name) = rest.split_once(' ')?;
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    Some((hex(start)?, u32::try_from(hex(size)?).ok()?, name))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::symbols::mutate::Mutations;

    const TEXT: &str =
        "1000 100 LazyCompile:~a /x.js:1\n0x2000 0x10 b\n1040 20 c\nbroken\n1000 100 LazyCompile:*a /x.js:1\n";

    fn map(text: &str) -> PerfMap {
        PerfMap::of(text)
    }

    #[test]
    fn the_newest_code_at_an_address_is_told() {
        let map = map(TEXT);
        assert_eq!(map.find(0xfff), None);
        assert_eq!(map.find(0x1000), Some(("LazyCompile:*a /x.js:1", 0x1000)));
        assert_eq!(map.find(0x1050), Some(("LazyCompile:*a /x.js:1", 0x1000)), "newer than what began later");
        assert_eq!(map.find(0x200f), Some(("b", 0x2000)));
        assert_eq!(map.find(0x2010), None);
        assert_eq!(map.find(u64::MAX), None);
    }

    #[test]
    fn a_growing_file_is_followed_and_a_new_one_begun_anew() {
        let path = std::env::temp_dir().join(format!("perf-map-{}", std::process::id()));
        let mut file = File::create_new(&path).unwrap();
        let open = || File::open(&path).unwrap();
        let mut map = PerfMap::default();
        write!(file, "1000 10 first\n2000 10 half").unwrap();
        map.follow(&open(), 1 << 20).unwrap();
        assert_eq!((map.find(0x1001).map(|found| found.0), map.find(0x2001)), (Some("first"), None));
        writeln!(file, "-line").unwrap();
        map.follow(&open(), 1 << 20).unwrap();
        assert_eq!(map.find(0x2001), Some(("half-line", 0x2000)));
        assert_eq!(map.functions.len(), 2, "nothing is read twice");
        file.set_len(0).unwrap();
        map.follow(&open(), 1 << 20).unwrap();
        assert_eq!(map.find(0x1001), None);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn of_a_long_file_the_end_is_read_within_the_limit() {
        let path = std::env::temp_dir().join(format!("perf-map-long-{}", std::process::id()));
        let text: String =
            (0..50_000).map(|index| format!("{:x} 10 function-{index}\n", 0x1000 + index * 16)).collect();
        std::fs::write(&path, text).unwrap();
        let mut map = PerfMap::default();
        map.follow(&File::open(&path).unwrap(), 300_000).unwrap();
        std::fs::remove_file(path).unwrap();
        assert!(map.held() < 300_000, "{}", map.held());
        assert_eq!(map.find(0x1000 + 49_999 * 16).unwrap().0, "function-49999");
        assert_eq!(map.find(0x1000), None);
    }

    #[test]
    fn any_text_is_read() {
        for bytes in Mutations::of(TEXT.as_bytes(), 2).take(5000) {
            let map = map(&String::from_utf8_lossy(&bytes));
            for address in [0, 0x1000, 0x1050, 0x2008, u64::MAX] {
                if let Some((_, start)) = map.find(address) {
                    assert!(start <= address);
                }
            }
        }
    }
}
