//! What the main loop has last reported of itself, for other threads to look at. Nobody who looks makes it wait for
//! longer than a pointer takes to be copied.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{kernel::Tally, plan::Plan};

/// The last report, shared.
#[derive(Clone, Debug, Default)]
pub struct Vitals(Arc<Mutex<Option<Arc<Report>>>>);

/// One report of the main loop.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was made.
    pub time: Instant,
    /// The hooks in force.
    pub plan: Plan,
    /// They are attached.
    pub attached: bool,
    /// Records that reached the observer.
    pub received: u64,
    /// Of those, the ones that could not be decoded.
    pub malformed: u64,
    /// What the kernel side has counted.
    pub tally: Tally,
}

impl Vitals {
    /// The last report; None when the main loop has not begun.
    #[must_use]
    pub fn last(&self) -> Option<Arc<Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reports.
    pub fn report(&self, report: Report) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(report));
    }

    /// Reports that the hooks are not attached any more.
    pub fn detached(&self) {
        if let Some(last) = self.last() {
            self.report(Report { attached: false, ..Report::clone(&last) });
        }
    }
}
