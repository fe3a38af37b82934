//! Processes as records name them, each made once: a flood of findings is about few of them, and its events share them.

use std::sync::Arc;

use observer_ebpf::Person;
use zerocopy::IntoBytes as _;

use crate::{event::Process, recent::Recent};

/// Processes that are kept, of some hundred bytes each.
const MOST: usize = 1_024;

/// All that a record tells of a process, and how it was found.
type Key = ([u8; size_of::<Person>()], u8);

/// Processes that were named of late.
#[derive(Debug)]
pub(super) struct Persons {
    known: Recent<Key, Arc<Process>>,
}

impl Default for Persons {
    fn default() -> Self {
        Self { known: Recent::new(MOST) }
    }
}

impl Persons {
    /// The process of a person: the one that was made before, or else the new one.
    pub(super) fn shared<E>(
        &mut self,
        person: &Person,
        attribution: u8,
        make: impl FnOnce() -> Result<Option<Process>, E>,
    ) -> Result<Option<Arc<Process>>, E> {
        let mut key = ([0; size_of::<Person>()], attribution);
        key.0.copy_from_slice(person.as_bytes());
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(process) = make()?.map(Arc::new) else { return Ok(None) };
        self.known.insert(key, Arc::clone(&process));
        Ok(Some(process))
    }
}
