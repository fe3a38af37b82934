//! What the observer is for, with the two binaries and a loopback only, so that it also runs in a bare guest.

mod audit;
mod causes;
mod exact;
mod late_data;
mod owners;
mod owners_of_resets;
mod late_veth;
mod resets_received;
mod silence;
mod table;
mod unread;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    unread::tests(suite);
    causes::tests(suite);
    late_data::tests(suite);
    silence::tests(suite);
    table::tests(suite);
    owners::tests(suite);
    owners_of_resets::tests(suite);
    late_veth::tests(suite);
    resets_received::tests(suite);
    exact::tests(suite);
    audit::tests(suite);
}
