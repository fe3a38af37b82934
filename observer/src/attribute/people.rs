//! Processes in full: who they are, what they run and what that is written in. The same one is made once, and then only
//! compared with what is known by now.

use std::sync::Arc;

use super::programs::Programs;
use crate::{
    event::Process,
    processes::{Image, Processes},
    recent::Recent,
};

/// Processes that are kept, of one or two kilobytes each.
const MOST: usize = 1_024;

/// All that is known of processes.
#[derive(Debug)]
pub(super) struct People {
    pub(super) processes: Processes,
    programs: Programs,
    /// What was told last, by the place in memory of the process that it was asked of, which is kept so that no other
    /// one can take its place.
    told: Recent<usize, (Arc<Process>, Arc<Process>)>,
}

impl People {
    /// What these processes are.
    pub(super) fn new(processes: Processes) -> Self {
        Self { processes, programs: Programs::default(), told: Recent::new(MOST) }
    }

    /// Completes a process as it was at a time, and gives its program.
    pub(super) fn complete(&mut self, process: &mut Arc<Process>, time_ns: u64) -> Option<Arc<Image>> {
        let place = Arc::as_ptr(process).addr();
        let before = self.told.get(&place).map(|(_, told)| Arc::clone(told));
        let mut told = Arc::clone(before.as_ref().unwrap_or(process));
        let image = self.processes.describe(&mut told, time_ns);
        let runtime = image.as_ref().and_then(|image| self.programs.runtime(&told, image));
        if told.runtime.as_ref() != runtime {
            let runtime = runtime.cloned();
            Arc::make_mut(&mut told).runtime = runtime;
        }
        if !before.is_some_and(|before| Arc::ptr_eq(&before, &told)) {
            self.told.insert(place, (Arc::clone(process), Arc::clone(&told)));
        }
        *process = told;
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Attribution, processes::Redaction};

    fn people() -> People {
        People::new(Processes::new(8, Redaction::None))
    }

    #[test]
    fn a_process_is_completed_once() {
        let mut people = people();
        let pid = std::process::id();
        let bare = Arc::new(Process::of(pid, pid, Attribution::Current));
        let mut complete = || {
            let mut process = Arc::clone(&bare);
            assert!(people.complete(&mut process, u64::MAX).is_some());
            process
        };
        let first = complete();
        assert_eq!(first.runtime.as_ref().map(|runtime| runtime.name.as_str()), Some("rust"));
        assert!(Arc::ptr_eq(&first, &complete()));
        assert_eq!(bare.runtime, None, "who has it as it was keeps it so");
    }

    #[test]
    fn processes_that_are_kept_are_bounded() {
        let mut people = people();
        for number in 0..3 * MOST as u32 {
            let mut process = Arc::new(Process::of(u32::MAX - number, 1, Attribution::Closer));
            people.complete(&mut process, u64::MAX);
            assert!(people.told.weight() <= MOST);
        }
    }
}
