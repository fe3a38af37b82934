//! Programs that are run again and again, each run with a connection of its own, as `curl` in the loop of a shell. No
//! process of them churns; told of one process, it would be a false claim. Nor is it told of workers that live on.

use std::collections::BTreeMap;

use observer_ebpf::{Churn as Count, Pair, Role};

use super::{
    Window,
    verdict::{self, FEWEST},
};
use crate::event::{Churn, ChurnVerdict};

/// Clients of one name, user and control group, and the server they connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Program {
    comm: [u32; 4],
    uid: u32,
    cgroup_id: u64,
    netns: u32,
    peer: [u32; 4],
    port: u16,
}

impl Program {
    /// The one that a process is a run of, if it is a client that began at this time or later.
    pub(super) fn of(pair: &Pair, count: &Count, since_ns: u64) -> Option<Self> {
        // Those with more connections are told by themselves.
        let runs = (1..FEWEST).contains(&count.closed) && pair.start_ns >= since_ns;
        let who = &count.who;
        (pair.role == Role::CLIENT && runs).then_some(Self {
            comm: who.comm,
            uid: who.uid,
            cgroup_id: who.cgroup_id,
            netns: pair.netns,
            peer: pair.peer,
            port: pair.port,
        })
    }
}

/// Verdicts on programs of which ten processes or more began in this window and have connected to the same server.
pub(super) fn verdicts(counts: &[(Pair, Count)], window: &Window) -> Vec<(Program, Churn)> {
    let mut programs: BTreeMap<Program, (Pair, Count, u64)> = BTreeMap::new();
    for (pair, count) in counts {
        let Some(program) = Program::of(pair, count, window.since_ns) else { continue };
        let who = &count.who;
        programs
            .entry(program)
            .and_modify(|(latest, sum, processes)| {
                if pair.start_ns > latest.start_ns {
                    (*latest, sum.who) = (*pair, *who);
                }
                verdict::add(sum, count);
                *processes += 1;
            })
            .or_insert((*pair, *count, 1));
    }
    let verdict = |(program, (pair, sum, processes)): (Program, (Pair, Count, u64))| {
        if processes < FEWEST || !verdict::mostly_short_lived(&sum) {
            return None;
        }
        let churn = verdict::describe(&pair, &sum, window, ChurnVerdict::OnePerProcess)?;
        Some((program, Churn { processes: Some(processes), ..churn }))
    };
    programs.into_iter().filter_map(verdict).collect()
}
