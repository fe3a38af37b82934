//! The stacks of a record.

use observer_ebpf::{RECORD_LEN, Record};

use super::Malformed;

/// Where the stacks of a record are among the words of all records that were read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Where they begin.
    begin: usize,
    /// How many words are of the process.
    user: usize,
    /// How many are of the kernel, behind those.
    kernel: usize,
    /// How many are of what lay on top of the process's stack, behind those.
    top: usize,
}

/// Return addresses, the innermost first, and what lay on top of the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// In the process.
    pub user: &'a [u64],
    /// In the kernel.
    pub kernel: &'a [u64],
    /// What lay on top of the process's stack; empty when that is not known.
    pub top: &'a [u64],
}

impl Addresses {
    /// The stacks, among the words that they were put to.
    #[must_use]
    pub fn within<'a>(&self, words: &'a [u64]) -> Recorded<'a> {
        let end = self.begin + self.user + self.kernel + self.top;
        let own = words.get(self.begin..end).unwrap_or_default();
        let (user, rest) = own.split_at_checked(self.user).unwrap_or_default();
        let (kernel, top) = rest.split_at_checked(self.kernel).unwrap_or_default();
        Recorded { user, kernel, top }
    }

    /// Puts those of a record, which the bytes behind it hold, to the words.
    pub(super) fn of(record: &Record, rest: &[u8], words: &mut Vec<u64>) -> Result<Self, Malformed> {
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
        let begin = words.len();
        for bytes in [user, kernel, top] {
            words.extend(bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)));
        }
        Ok(Self { begin, user: user.len() / 8, kernel: kernel.len() / 8, top: top.len() / 8 })
    }
}

/// Bytes of return addresses. A stack that could not be taken is empty.
fn stack(bytes: &[u8], length: i32) -> Option<&[u8]> {
    let Ok(length) = usize::try_from(length) else { return Some(&[]) };
    bytes.get(..length)
}
