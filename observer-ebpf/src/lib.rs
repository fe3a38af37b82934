//! The kernel/user ABI: what the kernel programs and the observer exchange, defined once.
//!
//! Layout rules: `#[repr(C)]`, fixed-width fields, explicit padding, host byte order unless a field says
//! otherwise, no Rust enum across the border (codes are integers with named constants). Size and offset
//! asserts pin the layout: changing one is changing the ABI of the committed object.
#![no_std]

mod cause;
mod fields;
mod note;
mod record;
mod settings;
mod total;

pub use cause::{Cause, REASON_SLOTS, Source};
pub use fields::{ABSENT, FIELDS, Field, Layout};
pub use note::{
    ENDPOINTS_LEN, Endpoints, ListenerKey, Note, Owner, Person, Role, candidate, note_flag, owner_flag, person_flag,
};
pub use record::{Attribution, COMM_LEN, Kind, MAX_STACK_DEPTH, RECORD_LEN, Record, present, record_flag};
pub use settings::{Filters, PREFIX_BITS, Settings, TaskAccess};
pub use total::{STAT_SLOTS, Stat, Total, TotalKey};
