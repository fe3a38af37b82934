//! aya's loader, without what it takes by itself: its only constructor reads and parses the kernel's BTF, 14 MiB of it, for
//! relocations that no Rust object has. It goes without where there is none, so it is called where no file can be opened.

use std::{env::consts::ARCH, io, panic::resume_unwind, thread};

use aya::EbpfLoader;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// System calls that open files.
const OPENING: &[libc::c_long] = &[
    libc::SYS_openat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];

/// A new loader.
pub(super) fn make() -> EbpfLoader<'static> {
    let make = || {
        // Where system calls cannot be filtered, it takes time and memory.
        let _ = open_nothing();
        EbpfLoader::new()
    };
    thread::spawn(make).join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// From now on no file is there for this thread.
fn open_nothing() -> io::Result<()> {
    let rules = OPENING.iter().map(|call| (*call, Vec::new())).collect();
    let absent = SeccompAction::Errno(libc::ENOENT as u32);
    let program = || -> Result<BpfProgram, seccompiler::BackendError> {
        SeccompFilter::new(rules, SeccompAction::Allow, absent, ARCH.try_into()?)?.try_into()
    };
    apply_filter(&program().map_err(io::Error::other)?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_thread_that_opens_nothing_is_alone_with_that() {
        let executable = || fs::File::open("/proc/self/exe").map(drop).map_err(|error| error.kind());
        let blind = thread::spawn(move || open_nothing().map(|()| executable()).unwrap());
        assert_eq!(blind.join().unwrap(), Err(io::ErrorKind::NotFound));
        assert_eq!(executable(), Ok(()));
    }
}
