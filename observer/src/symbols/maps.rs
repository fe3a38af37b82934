//! `/proc/PID/maps`: what of which file lies where in a process. Only code is kept.

use std::sync::Arc;

/// Mappings of code that are kept: more have only just-in-time compilers that map every function.
const MAPPINGS: usize = 16 << 10;

/// Code in a process.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Offset in the file of what lies at `start`.
    pub(super) offset: u64,
    /// 0 when there is no file.
    pub(super) inode: u64,
    /// Path in the mount namespace of the process, or a name in brackets.
    pub(super) path: Arc<str>,
}

impl Mapping {
    /// File name.
    pub(super) fn module(&self) -> &str {
        let path = self.path.strip_suffix(" (deleted)").unwrap_or(&self.path);
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }

    /// Whether code is written there while the process runs: names of it can only be in a map of its own.
    pub(super) fn is_made_at_run_time(&self) -> bool {
        self.inode == 0 && !self.is_special() || self.path.starts_with("/memfd:") || self.path.starts_with("/dev/zero")
    }

    /// Mapped by the kernel itself, such as `[vdso]`.
    pub(super) fn is_special(&self) -> bool {
        self.inode == 0 && self.path.starts_with('[') && !self.path.starts_with("[anon")
    }
}

/// Mappings of code, sorted as the kernel lists them.
pub(super) fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(line).take(MAPPINGS).collect()
}

/// `55e0c8a4f000-55e0c8a54000 r-xp 00002000 fe:00 1835 /usr/bin/cat`
fn line(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim_start_matches(' ');
        field
    };
    let (start, end) = field().split_once('-')?;
    let executable = field().as_bytes().get(2) == Some(&b'x');
    let offset = u64::from_str_radix(field(), 16).ok()?;
    let _device = field();
    let inode = field().parse().ok()?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let mapping = || Mapping { start, end, offset, inode, path: rest.replace("\\012", "\n").into() };
    (executable && start < end).then(mapping)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::mutate::Mutations;

    const TEXT: &str = "\
55e0c8a4d000-55e0c8a4f000 r--p 00000000 fe:00 1835                       /usr/bin/my cat
55e0c8a4f000-55e0c8a54000 r-xp 00002000 fe:00 1835                       /usr/bin/my cat (deleted)
7f0000000000-7f0000001000 rwxp 00000000 00:00 0 
7f0000002000-7f0000003000 r-xp 00000000 00:01 77                         /memfd:doublemapper (deleted)
7ffd60bd8000-7ffd60bda000 r-xp 00000000 00:00 0                          [vdso]
";

    #[test]
    fn code_is_kept_with_its_file() {
        let maps = parse(TEXT);
        let told: Vec<_> = maps.iter().map(|map| (map.start, map.offset, map.inode, map.module())).collect();
        assert_eq!(
            told,
            [
                (0x55e0_c8a4_f000, 0x2000, 1835, "my cat"),
                (0x7f00_0000_0000, 0, 0, ""),
                (0x7f00_0000_2000, 0, 77, "memfd:doublemapper"),
                (0x7ffd_60bd_8000, 0, 0, "[vdso]"),
            ]
        );
        assert_eq!(maps.iter().map(Mapping::is_made_at_run_time).collect::<Vec<_>>(), [false, true, true, false]);
        assert_eq!(maps.iter().map(Mapping::is_special).collect::<Vec<_>>(), [false, false, false, true]);
    }

    #[test]
    fn own_code_is_found() {
        let maps = parse(&std::fs::read_to_string("/proc/self/maps").unwrap());
        let here = own_code_is_found as *const () as u64;
        let map = maps.iter().find(|map| (map.start..map.end).contains(&here)).unwrap();
        assert_eq!(*map.path, *std::env::current_exe().unwrap().to_str().unwrap());
    }

    #[test]
    fn any_text_is_read() {
        for bytes in Mutations::of(TEXT.as_bytes(), 1).take(5000) {
            assert!(parse(&String::from_utf8_lossy(&bytes)).iter().all(|map| map.start < map.end));
        }
    }
}
