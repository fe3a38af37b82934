//! Which boots there are, and in which order: a guest has one processor, and the tests of one plan take minutes.

use std::{sync::Mutex, thread};

use super::{Options, matrix::Row};

/// One boot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Boot {
    /// Its index in the matrix.
    pub(crate) row: usize,
    /// Run one after the other.
    pub(crate) plans: Vec<String>,
}

/// A boot for each plan that is tested on a row, and one for those that only declare themselves, which takes seconds, or for
/// the program that runs in place of them all. Those that take longest come first, so that no guest runs alone for long: the
/// tests, and newer kernels before older ones.
pub(crate) fn boots(rows: &[Row], options: &Options) -> Vec<Boot> {
    let (mut tests, mut others) = (Vec::new(), Vec::new());
    for (index, row) in rows.iter().enumerate().rev() {
        let boot = |plans| Boot { row: index, plans };
        let (tested, declared): (Vec<_>, Vec<_>) =
            options.plan.iter().cloned().partition(|plan| options.tests(row, plan));
        tests.extend(tested.into_iter().map(|plan| boot(vec![plan])));
        others.extend((!declared.is_empty()).then(|| boot(declared)));
    }
    tests.extend(others);
    tests
}

/// Does them in their order, so many at a time.
pub(crate) fn run<T: Send>(boots: Vec<T>, at_a_time: usize, boot: impl Fn(T) + Sync) {
    let queue = Mutex::new(boots.into_iter());
    // Not in the head of the loop, where the lock would be held for its body.
    let next = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(one) = next() {
                    boot(one);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::{Duration, Instant},
    };

    use super::*;
    use crate::vm::matrix::rows;

    fn told(options: &Options) -> Vec<String> {
        let rows = rows(&[], None).unwrap();
        boots(&rows, options).iter().map(|boot| format!("{}: {}", rows[boot.row], boot.plans.join(" "))).collect()
    }

    #[test]
    fn every_row_has_every_plan_once_and_the_tests_come_first() {
        let expected = [
            "6.12 lockdown=confidentiality: fentry",
            "6.12 lockdown=confidentiality: tracepoint",
            "7.3: fentry",
            "6.12.43: fentry",
            "5.10: fentry",
            "5.10: kprobe",
            "5.10: tracepoint",
            "6.12 lockdown=confidentiality: kprobe",
            "7.3: kprobe tracepoint",
            "6.18: fentry kprobe tracepoint",
            "6.12: fentry kprobe tracepoint",
            "6.12.43: kprobe tracepoint",
            "6.1: fentry kprobe tracepoint",
        ];
        assert_eq!(told(&Options::short_check()), expected);
        let whole = told(&Options { short: false, ..Options::short_check() });
        assert_eq!(whole.len(), 7 * 3);
        assert_eq!(whole.last().unwrap(), "6.12 lockdown=confidentiality: kprobe", "which it refuses");
    }

    #[test]
    fn a_program_is_run_once_per_row() {
        let program = Some("program".into());
        assert_eq!(told(&Options { program, ..Options::short_check() }).len(), 7);
    }

    #[test]
    fn as_many_as_asked_for_run_at_a_time() {
        let started = AtomicUsize::new(0);
        run(vec![(); 2], 2, |()| {
            let begun = Instant::now();
            started.fetch_add(1, Ordering::SeqCst);
            while started.load(Ordering::SeqCst) < 2 {
                assert!(begun.elapsed() < Duration::from_secs(30), "the other one never came");
                thread::yield_now();
            }
        });
        assert_eq!(started.into_inner(), 2);
    }
}
