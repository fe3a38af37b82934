//! The kernel/user ABI: what the kernel programs and the observer exchange, defined once.
//!
//! Layout rules: `#[repr(C)]`, fixed-width fields, explicit padding, host byte order unless a field says
//! otherwise, no Rust enum across the border (codes are integers with named constants). Size and offset
//! asserts pin the layout: changing one is changing the ABI of the committed object.
#![no_std]

mod cause;
mod datagram;
mod fields;
mod life;
mod note;
mod note_set;
mod owner_set;
mod pair;
mod record;
mod settings;
mod total;

pub use cause::{Cause, REASON_SLOTS, Source};
pub use datagram::{
    ANSWER_ROOM, DATAGRAM_LEN, DNS_RING_BYTES, Datagram, Direction, PLAIN_ANSWER_ROOM, QUESTION_ROOM,
    SHORT_ANSWER_ROOM, SHORT_QUERY_ROOM,
};
pub use fields::{ABSENT, FIELDS, Field, Layout};
pub use life::{ARGUMENTS_ROOM, LIFE_LEN, Life, PATH_ROOM, Step, life_flag};
pub use note::{ENDPOINTS_LEN, Endpoints, ListenerKey, Note, Person, Role, candidate, note_flag, person_flag};
pub use note_set::{NOTE_SETS, NOTE_WAYS, NoteSet, note_set};
pub use owner_set::{Owner, OwnerSet, WAYS, age, check, hash, owner_flag, tag};
pub use pair::{Churn, Pair, SHORT_LIFE_US};
pub use record::{Attribution, COMM_LEN, Kind, MAX_STACK_DEPTH, RECORD_LEN, Record, TOP_BYTES, present, record_flag};
pub use settings::{Filters, PREFIX_BITS, SELECTION_SLOTS, Selection, Settings, Stacks, TaskAccess};
pub use total::{STAT_SLOTS, Stat, Total, TotalKey};
