//! The stacks of a record.

use observer_ebpf::{RECORD_LEN, Record};

use super::Malformed;

/// Return addresses, the innermost first, and what lay on top of the stack: one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    words: Vec<u64>,
    /// How many of them are of the process.
    user: usize,
    /// How many are of the kernel, behind those.
    kernel: usize,
}

impl Addresses {
    /// In the process.
    #[must_use]
    pub fn user(&self) -> &[u64] {
        self.words.get(..self.user).unwrap_or_default()
    }

    /// In the kernel.
    #[must_use]
    pub fn kernel(&self) -> &[u64] {
        self.words.get(self.user..self.user + self.kernel).unwrap_or_default()
    }

    /// What lay on top of the process's stack; empty when that is not known.
    #[must_use]
    pub fn top(&self) -> &[u64] {
        self.words.get(self.user + self.kernel..).unwrap_or_default()
    }

    /// Those of a record, which the bytes behind it hold.
    pub(super) fn of(record: &Record, rest: &[u8]) -> Result<Self, Malformed> {
        let short = || Malformed::Short(RECORD_LEN + rest.len());
        let room = usize::try_from(record.stack_room).unwrap_or(usize::MAX);
        let user = stack(rest, record.stack_bytes).ok_or_else(short)?;
        let kernel = match record.kernel_stack_bytes {
            ..=0 => &[],
            length => rest.get(room..).and_then(|rest| stack(rest, length)).ok_or_else(short)?,
        };
        let top = match usize::try_from(record.top_bytes).unwrap_or(usize::MAX) {
            0 => &[],
            length => {
                let start = room.checked_sub(length).ok_or_else(short)?;
                rest.get(start..room).ok_or_else(short)?
            }
        };
        let mut words = Vec::with_capacity((user.len() + kernel.len() + top.len()) / 8);
        for bytes in [user, kernel, top] {
            words.extend(bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)));
        }
        Ok(Self { words, user: user.len() / 8, kernel: kernel.len() / 8 })
    }
}

/// Bytes of return addresses. A stack that could not be taken is empty.
fn stack(bytes: &[u8], length: i32) -> Option<&[u8]> {
    let Ok(length) = usize::try_from(length) else { return Some(&[]) };
    bytes.get(..length)
}
