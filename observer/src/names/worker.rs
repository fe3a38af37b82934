//! A thread that does what may take its time: look into another file system, ask a name server. Its queue is bounded,
//! and who waits for it decides how long.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Instant,
};

/// The thread's near end. Dropped, the thread ends when it is done with what it is at.
#[derive(Debug)]
pub(super) struct Worker<Q, A> {
    questions: SyncSender<Q>,
    answers: Receiver<A>,
    /// Questions without an answer.
    open: usize,
}

impl<Q: Send + 'static, A: Send + 'static> Worker<Q, A> {
    /// Starts a thread that answers one question after the other; at most `room` may wait.
    ///
    /// # Errors
    /// When there can be no other thread.
    pub(super) fn start(name: &str, room: usize, work: impl FnMut(Q) -> A + Send + 'static) -> io::Result<Self> {
        Self::start_after(name, room, || true, work)
    }

    /// The same, with something that the thread does first. When that fails no question is answered.
    ///
    /// # Errors
    /// When there can be no other thread.
    pub(super) fn start_after(
        name: &str,
        room: usize,
        begin: impl FnOnce() -> bool + Send + 'static,
        mut work: impl FnMut(Q) -> A + Send + 'static,
    ) -> io::Result<Self> {
        let (questions, inbox) = sync_channel::<Q>(room);
        // One more is in work, so the thread never waits for room here.
        let (outbox, answers) = sync_channel(room + 1);
        let serve = move || {
            if !begin() {
                return;
            }
            while let Ok(question) = inbox.recv() {
                if outbox.send(work(question)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(serve)?;
        Ok(Self { questions, answers, open: 0 })
    }

    /// Whether it has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.open == 0
    }

    /// Hands over a question; false when too many wait. Answers must be taken too.
    pub(super) fn ask(&mut self, question: Q) -> bool {
        if self.questions.try_send(question).is_err() {
            return false;
        }
        self.open += 1;
        true
    }

    /// An answer that is there.
    pub(super) fn take(&mut self) -> Option<A> {
        let answer = self.answers.try_recv().ok()?;
        self.open -= 1;
        Some(answer)
    }

    /// The next answer, if there is one in time.
    pub(super) fn wait(&mut self, deadline: Instant) -> Option<A> {
        match self.answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(answer) => {
                self.open -= 1;
                Some(answer)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn questions_are_answered_in_order() {
        let mut worker = Worker::start("test", 4, |number: u32| number * 2).unwrap();
        assert!(worker.is_idle());
        assert!(worker.ask(1) && worker.ask(2));
        let deadline = Instant::now() + LONG;
        assert_eq!([worker.wait(deadline), worker.wait(deadline)], [Some(2), Some(4)]);
        assert!(worker.is_idle());
        assert_eq!(worker.take(), None);
    }

    #[test]
    fn a_worker_that_cannot_begin_answers_nothing() {
        let mut worker = Worker::start_after("test", 1, || false, |()| ()).unwrap();
        worker.ask(());
        assert_eq!(worker.wait(Instant::now() + LONG), None);
    }

    #[test]
    fn a_stuck_worker_costs_the_time_that_one_gives_it() {
        let (release, hold) = mpsc::channel::<()>();
        let stuck = move |()| {
            let _ = hold.recv();
        };
        let mut worker = Worker::start("test", 2, stuck).unwrap();
        let asked = (0..100).filter(|_| worker.ask(())).count();
        assert!((2..=3).contains(&asked), "two wait, and one may be in work: {asked}");
        assert_eq!(worker.wait(Instant::now()), None);
        assert!(!worker.is_idle());
        drop(release);
        let deadline = Instant::now() + LONG;
        assert_eq!((0..asked).filter(|_| worker.wait(deadline).is_some()).count(), asked);
    }
}
