//! What a source of symbols tells of an address: the function that it lies in, before it those that are inlined there.

/// A function, and where in its source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Call {
    /// As people write it.
    pub(super) name: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    /// Distance from the start of the function; None for an inlined one, or when nobody knows.
    pub(super) into: Option<u64>,
}
