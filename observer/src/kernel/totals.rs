//! Totals and statistics read back from the programs' per-CPU maps.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{MapError, PerCpuArray, PerCpuHashMap, PerCpuValues},
    util::nr_cpus,
};
use observer_ebpf::{Stat, Total, TotalKey};

use super::runs::ProgramRuns;

/// A snapshot of everything counted since the hooks were attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By namespace inode and cause code, in that order.
    pub totals: Vec<NamespaceTotal>,
    /// Prediction and the kernel's reason disagreed.
    pub disagreements: u64,
    /// RSTs withheld since a process filter is on and nobody knows the process.
    pub unattributed: u64,
    /// RSTs outside a process's own act whose connection nobody is remembered for.
    pub unknown_owners: u64,
    /// Runs of a program that the kernel skipped, since it was running on that CPU already.
    pub missed: u64,
    /// Lives of processes for which their ring had no room.
    pub lost_processes: u64,
    /// DNS messages for which their ring had no room.
    pub lost_dns: u64,
    /// DNS answers too long to be copied.
    pub long_dns: u64,
    /// Things that did not fit a map of the programs.
    pub overflow: u64,
    /// Connections that were not counted by process and peer, since that map was full.
    pub uncounted: u64,
    /// How often each program has run, in the order of attaching; without runs unless the kernel measures them.
    pub programs: Vec<ProgramRuns>,
}

/// Totals of one namespace and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceTotal {
    /// Namespace inode; 0 when it could not be read.
    pub netns: u32,
    /// Cause code.
    pub cause: u8,
    /// The sums over all CPUs.
    pub total: Total,
}

impl Tally {
    /// Findings offered to the ring.
    #[must_use]
    pub fn submitted(&self) -> u64 {
        self.totals.iter().map(|entry| entry.total.submitted).sum()
    }

    /// Findings for which the ring had no room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.totals.iter().map(|entry| entry.total.lost).sum()
    }

    /// Lost findings by cause code.
    #[must_use]
    pub fn lost_by_cause(&self) -> BTreeMap<u8, u64> {
        let mut lost = BTreeMap::new();
        for entry in self.totals.iter().filter(|entry| entry.total.lost > 0) {
            *lost.entry(entry.cause).or_insert(0) += entry.total.lost;
        }
        lost
    }
}

/// Reads totals and statistics.
///
/// # Errors
/// When a map cannot be read.
pub(crate) fn read(ebpf: &Ebpf) -> Result<Tally> {
    let map = ebpf.map("TOTALS").context("the kernel object has no map TOTALS")?;
    let totals: PerCpuHashMap<_, [u32; 2], [u64; 6]> = PerCpuHashMap::try_from(map)?;
    let mut found = BTreeMap::new();
    for key in totals.keys() {
        let key = key.context("cannot read the totals")?;
        match totals.get(&key, 0) {
            Ok(values) => {
                let key = TotalKey { netns: key[0], cause: key[1] };
                let total = values.iter().fold(Total::default(), |sum, one| add(sum, *one));
                if total.acts > 0 {
                    found.insert(key, total);
                }
            }
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context("cannot read the totals"),
        }
    }
    let map = ebpf.map("STATS").context("the kernel object has no map STATS")?;
    let stats: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
    let stat = |slot: u32| -> Result<u64> { Ok(stats.get(&slot, 0)?.iter().sum()) };
    Ok(Tally {
        totals: found
            .into_iter()
            .map(|(key, total)| NamespaceTotal { netns: key.netns, cause: key.cause as u8, total })
            .collect(),
        disagreements: stat(Stat::DISAGREEMENTS)?,
        unattributed: stat(Stat::UNATTRIBUTED)?,
        overflow: stat(Stat::TOTALS_FULL)? + stat(Stat::NOTES_FULL)? + stat(Stat::PIDS_FULL)?,
        unknown_owners: stat(Stat::UNKNOWN_OWNERS)?,
        missed: stat(Stat::NESTED)?,
        lost_processes: stat(Stat::PROCESSES_LOST)?,
        lost_dns: stat(Stat::DNS_LOST)?,
        long_dns: stat(Stat::DNS_CUT)?,
        uncounted: stat(Stat::CHURN_FULL)?,
        programs: Vec::new(),
    })
}

fn add(sum: Total, one: [u64; 6]) -> Total {
    Total {
        acts: sum.acts + one[0],
        resets: sum.resets + one[1],
        answers: sum.answers + one[2],
        unread_bytes: sum.unread_bytes + one[3],
        submitted: sum.submitted + one[4],
        lost: sum.lost + one[5],
    }
}

/// Makes the entries of namespace 0, where namespaces are counted for which the map has no room.
///
/// # Errors
/// When the map cannot be written.
pub(crate) fn prepare(ebpf: &mut Ebpf) -> Result<()> {
    let map = ebpf.map_mut("TOTALS").context("the kernel object has no map TOTALS")?;
    let mut totals: PerCpuHashMap<_, [u32; 2], [u64; 6]> = PerCpuHashMap::try_from(map)?;
    let cpus = nr_cpus().map_err(|(_, error)| error).context("cannot count the CPUs")?;
    for (cause, _) in observer_ebpf::Cause::ALL {
        let zeros = PerCpuValues::try_from(vec![[0; 6]; cpus]).context("cannot count the CPUs")?;
        totals.insert([0, u32::from(*cause)], zeros, 0).context("cannot prepare the totals")?;
    }
    Ok(())
}
