//! stub
pub(super) fn tests(_: &mut crate::suite::Suite) {}
