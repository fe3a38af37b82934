//! The two ends of one RST, where both are on this host but in different network namespaces: the kernel side knows the
//! peer's process in its own namespace only. The events meet by `reset_id`.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::event::{Body, Event, Finding, Process, ResetId};

/// RSTs whose other end may still come.
const OPEN: usize = 4_096;

/// One end of a RST: its id, and whether it was received.
type End = (ResetId, bool);

/// Ends seen lately.
#[derive(Debug, Default)]
pub struct Pairs {
    open: HashMap<End, Arc<Process>>,
    order: VecDeque<End>,
}

impl Pairs {
    /// Remembers one end of a RST, if the event is one without a counterpart.
    pub fn meet(&mut self, event: &Event) {
        let Some((id, received, finding)) = end(&event.body) else { return };
        let (None, Some(process)) = (&finding.counterpart, &finding.process) else { return };
        let end = (id, received);
        if self.open.insert(end, Arc::clone(process)).is_none() {
            self.order.push_back(end);
        }
        if self.order.len() > OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
    }

    /// The process at the other end, when it was met and the event does not name it.
    #[must_use]
    pub fn counterpart(&self, event: &Event) -> Option<&Arc<Process>> {
        let (id, received, finding) = end(&event.body)?;
        if finding.counterpart.is_some() {
            return None;
        }
        self.open.get(&(id, !received))
    }
}

/// Id of the RST, whether it was received, and the finding.
fn end(body: &Body) -> Option<(ResetId, bool, &Finding)> {
    let finding = body.finding()?;
    Some((finding.tcp.reset_id?, matches!(body, Body::ResetReceived(_)), finding))
}
