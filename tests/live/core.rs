//! What the observer is for, with the two binaries and a loopback only, so that it also runs in a bare guest.

mod attribution;
mod audit;
mod causes;
mod churn;
mod clock;
mod exact;
mod late_data;
pub(crate) mod names;
mod forgeries;
mod owners;
mod owners_of_resets;
mod reload;
mod late_veth;
mod resets_received;
mod silence;
mod stacks;
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
    reload::tests(suite);
    late_veth::tests(suite);
    resets_received::tests(suite);
    exact::tests(suite);
    audit::tests(suite);
    stacks::tests(suite);
    names::tests(suite);
    forgeries::tests(suite);
    attribution::tests(suite);
    churn::tests(suite);
    clock::tests(suite);
}
