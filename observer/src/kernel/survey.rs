//! What a BTF file shows of all that the programs need, of this kernel or of another, for `conn-observer doctor`.

use std::path::Path;

use anyhow::Result;
use observer_ebpf::{FIELDS, Field};

use super::{
    btf::{KernelTypes, SockFlags},
    settings::reason_position,
};

/// A field and where it was found.
#[derive(Clone, Copy, Debug)]
pub struct FieldFound {
    /// The field.
    pub field: &'static Field,
    /// Its byte offset from the start of its container; None when BTF does not show it as wide as it is read.
    pub offset: Option<u32>,
}

/// What one BTF file shows.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Every field, in the order of the layout.
    pub fields: Vec<FieldFound>,
    /// Why the bits of `sk_flags` are not known; None when they are.
    pub unknown_flag: Option<String>,
    /// Names of reset reasons.
    pub reason_names: usize,
    /// The tracepoint of a RST tells the reason.
    pub tells_reason: bool,
}

/// Reads a BTF file.
///
/// # Errors
/// When it cannot be read or is no BTF.
pub fn survey(path: &Path) -> Result<Survey> {
    let types = KernelTypes::from_file(path)?;
    let find =
        |field: &'static Field| FieldFound { field, offset: types.offset(field.container, field.path, field.width) };
    Ok(Survey {
        fields: FIELDS.iter().map(find).collect(),
        reason_names: types.enumerators("sk_rst_reason").len(),
        tells_reason: reason_position(&types).is_some(),
        unknown_flag: SockFlags::of(&types).err().map(|error| format!("{error:#}")),
    })
}
