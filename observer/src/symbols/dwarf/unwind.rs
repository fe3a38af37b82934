//! How far from the stack pointer a function keeps its return address, as exception handling needs to know
//! (`.eh_frame`). x86-64 only: other processors hand it over in a register.

use gimli::{BaseAddresses, CfaRule, EhFrame, EhFrameOffset, RegisterRule, UnwindContext, UnwindSection as _, X86_64};

use super::reader::Bytes;
use crate::symbols::{area::Area, elf::Elf};

/// The head of an index as linkers write it: version 1, a relative pointer to the frames, a count of four bytes, and
/// pairs of four bytes that are relative to the index.
const HEAD: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// Where the pairs begin.
const PAIRS: u64 = 12;

/// A pair: where a function begins, and its frame.
const PAIR: u64 = 8;

/// Frames of a file, with their index.
pub(in crate::symbols) struct Unwind {
    index: Area,
    index_address: u64,
    count: u64,
    frames: EhFrame<Bytes>,
    frames_address: u64,
}

impl Unwind {
    /// None where there is no such index: nothing is searched from begin to end.
    pub(in crate::symbols) fn open(elf: &Elf) -> Option<Self> {
        let (index, frames) = (elf.section(".eh_frame_hdr")?, elf.section(".eh_frame")?);
        let (index_address, frames_address) = (index.address, frames.address);
        let index = elf.contents(index)?;
        let mut head = [0; HEAD.len()];
        index.read(0, &mut head)?;
        if head != HEAD || !elf.is_x86_64 {
            return None;
        }
        let count = u64::from(index.u32(8)?);
        let frames = EhFrame::from(Bytes::new(elf.contents(frames)?));
        Some(Self { index, index_address, count, frames, frames_address })
    }

    /// Bytes from the stack pointer up to the return address, at an address before relocation. None where the function
    /// keeps a frame pointer, or nobody knows.
    pub(in crate::symbols) fn return_address(&self, address: u64) -> Option<u64> {
        let bases = BaseAddresses::default().set_eh_frame(self.frames_address);
        let offset = usize::try_from(self.frame(address)?.checked_sub(self.frames_address)?).ok()?;
        let frame = self.frames.fde_from_offset(&bases, EhFrameOffset(offset), EhFrame::cie_from_offset).ok()?;
        if !frame.contains(address) || frame.is_signal_trampoline() {
            return None;
        }
        let mut context = UnwindContext::new();
        let row = frame.unwind_info_for_address(&self.frames, &bases, &mut context, address).ok()?;
        match (row.cfa(), row.register(X86_64::RA)) {
            (CfaRule::RegisterAndOffset { register: X86_64::RSP, offset }, Some(RegisterRule::Offset(returns))) => {
                u64::try_from(offset.checked_add(returns)?).ok()
            }
            _ => None,
        }
    }

    /// Address of the last frame that begins at or before an address.
    fn frame(&self, address: u64) -> Option<u64> {
        let value = |at: u64| Some(self.index_address.wrapping_add_signed((self.index.u32(at)? as i32).into()));
        let (mut first, mut end) = (0, self.count);
        while first < end {
            let middle = first + (end - first) / 2;
            if value(PAIRS + middle * PAIR)? <= address {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        value(PAIRS + first.checked_sub(1)? * PAIR + PAIR / 2)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn functions_of_the_c_library_tell_their_frames() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path = maps.lines().find(|line| line.ends_with("/libc.so.6")).unwrap().rsplit(' ').next().unwrap();
        let elf = Elf::open(Area::file(File::open(path).unwrap()).unwrap()).unwrap();
        let unwind = Unwind::open(&elf).unwrap();
        let code = elf.section(".text").unwrap();
        let told = |address: &u64| unwind.return_address(*address);
        let known: Vec<u64> = (code.address..code.address + code.size).step_by(97).filter_map(|at| told(&at)).collect();
        assert!(known.len() as u64 > code.size / 97 / 2, "most of it has no frame pointer");
        assert!(known.contains(&0) && known.contains(&0x18), "before and behind the first instruction");
        assert!(known.iter().all(|bytes| bytes.is_multiple_of(8) && *bytes < 1 << 20));
        assert_eq!([0, elf.section(".data").unwrap().address, u64::MAX].map(|address| told(&address)), [None; 3]);
    }
}
