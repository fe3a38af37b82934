//! Where processes belong: looked up once for each process and control group.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    sync::Arc,
};

use crate::{
    cgroup,
    event::Process,
    placement::Placement,
    procfile::{self, TICK_NS},
};

/// Answers that are kept. Beyond it all are forgotten: looking one up again costs microseconds.
const MOST: usize = 4_096;

/// Process id, start and control group.
type Key = (u32, u64, u64);

/// Placements of processes.
#[derive(Debug, Default)]
pub(super) struct Places {
    known: HashMap<Key, Arc<Placement>>,
    /// Paths of control groups by their ids, which are not given away again. None where it was not to be found.
    groups: HashMap<u64, Option<Arc<str>>>,
}

impl Places {
    /// Keeps the paths of all groups that some process is in: they may be gone when a finding asks.
    pub(super) fn prepare(&mut self) {
        let texts = procfile::ids("/proc").into_iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")));
        let unified = |text: String| Some(text.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned());
        let paths: BTreeSet<String> = texts.flatten().filter_map(unified).collect();
        for path in paths {
            if let Some(id) = cgroup::id_of(&path) {
                self.keep(id, Some(path.into()));
            }
        }
    }

    /// A program was executed in this group. A container's group is gone with its last process.
    pub(super) fn meet(&mut self, id: u64) {
        if id != 0 && !self.groups.contains_key(&id) {
            self.keep(id, cgroup::path_of(id).map(Arc::from));
        }
    }

    fn keep(&mut self, id: u64, path: Option<Arc<str>>) {
        if self.groups.len() == MOST {
            self.groups.clear();
        }
        self.groups.insert(id, path);
    }

    /// Where a process belongs: by what `/proc` tells while it lives, since v1 hierarchies are told there only; else by
    /// the id of its control group.
    pub(super) fn of(&mut self, process: &Process, cgroup_id: u64) -> Arc<Placement> {
        let key = (process.pid, process.start_ns, cgroup_id);
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(known);
        }
        let found = Arc::new(self.look(process, cgroup_id));
        if self.known.len() == MOST {
            self.known.clear();
        }
        self.known.insert(key, Arc::clone(&found));
        found
    }

    fn look(&self, process: &Process, cgroup_id: u64) -> Placement {
        let folder = format!("/proc/{}", process.pid);
        let text = fs::read_to_string(format!("{folder}/cgroup"));
        let start = procfile::start_ns(&folder);
        let lives = start.is_some_and(|start| process.start_ns == 0 || start / TICK_NS == process.start_ns / TICK_NS);
        let path =
            || self.groups.get(&cgroup_id).cloned().flatten().or_else(|| cgroup::path_of(cgroup_id).map(Arc::from));
        match (text, cgroup_id) {
            (Ok(text), _) if lives => Placement::of_file(&text),
            (_, 0) => Placement::default(),
            _ => path().map(|path| Placement::of_path(&path)).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_with_processes_are_known_from_the_start() {
        let mut places = Places::default();
        places.prepare();
        let text = fs::read_to_string("/proc/self/cgroup").unwrap();
        let Some(path) = text.lines().find_map(|line| line.strip_prefix("0::")) else { return };
        if let Some(id) = cgroup::id_of(path) {
            assert_eq!(places.groups.get(&id), Some(&Some(path.into())));
            let gone = Process::of(u32::MAX, u32::MAX, crate::event::Attribution::Closer);
            assert_eq!(places.of(&gone, id).path.as_deref(), Some(path));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut places = Places::default();
        for number in 0..3 * MOST as u64 {
            places.keep(number, None);
            assert!(places.groups.len() <= MOST);
        }
        let before = places.groups.len();
        places.meet(0);
        assert_eq!(places.groups.len(), before, "of whom nothing is known");
    }
}
