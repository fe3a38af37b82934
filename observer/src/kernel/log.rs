//! Diagnostics of the kernel side, line by line to standard error (`--kernel-log`).

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

use crate::diagnose::diagnose;

/// The reading end of the programs' log.
pub(crate) struct KernelLog {
    logger: EbpfLogger<Stderr>,
}

impl KernelLog {
    /// Opens the log of loaded programs.
    ///
    /// # Errors
    /// When its map cannot be mapped.
    pub(crate) fn open(ebpf: &mut Ebpf) -> Result<Self> {
        let logger = EbpfLogger::init_with_logger(ebpf, Stderr).context("cannot read the kernel side's log")?;
        Ok(Self { logger })
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) {
        self.logger.flush();
    }
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        diagnose(format_args!("kernel: {}", record.args()));
    }

    fn flush(&self) {}
}
