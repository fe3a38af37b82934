//! A BTF file that holds no more than aya asks the kernel's for, which are ids: those of the functions and tracepoints to
//! hook, at their numbers, among types that say nothing. To parse the kernel's own takes 20 ms and as many MiB; this one takes
//! half of it, for its types are as many, and is parsed while the maps are made.

use std::{
    panic::resume_unwind,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use aya::{Btf, Endianness};

use super::index::MAGIC;

/// `struct btf_header` (`include/uapi/linux/btf.h`).
const VERSION: u8 = 1;
const HEADER_BYTES: u32 = 24;

/// Kinds of types that are this and no more: `struct btf_type`, nothing behind it.
const FORWARD: u32 = 7;
const TYPEDEF: u32 = 8;
const FUNCTION: u32 = 12;

/// Names to look up, with the kernel's ids of them.
#[derive(Default)]
pub(crate) struct StandIn {
    /// By id: offset of the name, kind.
    types: Vec<(u32, u32)>,
    /// Each ends with a zero byte.
    names: Vec<u8>,
}

impl StandIn {
    /// A function to hook.
    pub(crate) fn function(&mut self, name: &str, id: u32) {
        self.add(name, id, FUNCTION);
    }

    /// A tracepoint to hook, without the `btf_trace_` before its name.
    pub(crate) fn tracepoint(&mut self, name: &str, id: u32) {
        self.add(&format!("btf_trace_{name}"), id, TYPEDEF);
    }

    fn add(&mut self, name: &str, id: u32, kind: u32) {
        let id = id as usize;
        // `void` is no type of the file, and names begin with the empty one.
        if id == 0 {
            return;
        }
        if self.types.len() < id {
            self.types.resize(id, (0, FORWARD));
        }
        if self.names.is_empty() {
            self.names.push(0);
        }
        self.types[id - 1] = (u32::try_from(self.names.len()).unwrap_or(0), kind);
        self.names.extend(name.bytes());
        self.names.push(0);
    }

    /// As aya reads it, by and by.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn begin(self) -> Result<Reading> {
        let reading = thread::Builder::new().name("btf".to_owned()).spawn(move || self.btf());
        Ok(Reading { thread: Some(reading.context("cannot start a thread")?), btf: None })
    }

    /// # Errors
    /// When the file would be larger than its own numbers can tell.
    fn btf(&self) -> Result<Btf> {
        Btf::parse(&self.file()?, Endianness::default()).context("cannot parse the list of what is to be hooked")
    }

    fn file(&self) -> Result<Vec<u8>> {
        let types_bytes = u32::try_from(self.types.len() * 12)?;
        let mut file = Vec::with_capacity(HEADER_BYTES as usize + types_bytes as usize + self.names.len());
        file.extend(MAGIC.to_ne_bytes());
        file.extend([VERSION, 0]);
        for word in [HEADER_BYTES, 0, types_bytes, types_bytes, u32::try_from(self.names.len())?] {
            file.extend(word.to_ne_bytes());
        }
        for (name, kind) in &self.types {
            for word in [*name, kind << 24, 0] {
                file.extend(word.to_ne_bytes());
            }
        }
        file.extend(&self.names);
        Ok(file)
    }
}

/// A stand-in that is being read.
pub(crate) struct Reading {
    thread: Option<JoinHandle<Result<Btf>>>,
    btf: Option<Btf>,
}

impl Reading {
    /// Waits for it.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn done(&mut self) -> Result<&Btf> {
        if let Some(thread) = self.thread.take() {
            self.btf = Some(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        self.btf.as_ref().context("there is no list of what is to be hooked")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{fixture::Folder, kernel::btf::KernelTypes};

    #[test]
    fn names_are_at_the_kernels_ids_and_nowhere_else() {
        let mut ids = StandIn::default();
        ids.function("inet_csk_accept", 70_000);
        ids.tracepoint("tcp_send_reset", 3);
        ids.function("void", 0);
        ids.btf().unwrap();
        let folder = Folder::new("standin");
        let path = folder.join("btf");
        fs::write(&path, ids.file().unwrap()).unwrap();
        let types = KernelTypes::from_file(&path).unwrap();
        assert_eq!(types.function("inet_csk_accept"), Some(70_000));
        assert_eq!(types.tracepoint("tcp_send_reset"), Some(3));
        assert_eq!([types.function("tcp_send_reset"), types.function("void"), types.tracepoint("other")], [None; 3]);
    }
}
