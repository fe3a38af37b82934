//! Which line: call stacks, and what to do about them.

use std::{borrow::Cow, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared;

/// Frames of a stack, the innermost first: stacks share them, and events share stacks.
pub type Frames = Arc<[Arc<Frame>]>;

/// Call stacks, the innermost frame first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// In the process.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "shared::frames", default)]
    pub user: Frames,
    /// In the kernel.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "shared::frames", default)]
    pub kernel: Frames,
}

/// A frame. Without a symbol, module and offset find it in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// Return address, hexadecimal; absent for an inlined function, which shares the next frame's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Function, demangled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Distance of the address from the start of the function in bytes, hexadecimal; without a symbol its offset in
    /// the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// File name of the program or library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in the source file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The function was inlined into the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inlined: Option<bool>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Hint {
    /// Advice in a sentence or two.
    pub advice: Cow<'static, str>,
    /// Where that is documented, in words.
    pub reference: Cow<'static, str>,
}
