//! What the machine code before an address tells of calls: it may be a return address itself, and it may tell where the
//! next one is.

use super::area::Area;

/// What the code before an address tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Site {
    /// Bytes from the stack pointer up to the return address. None where a frame pointer leads on, or nobody knows.
    pub(super) returns: Option<u64>,
    /// Its last instruction is a call.
    pub(super) calls: bool,
}

/// Whether an x86-64 instruction that calls ends right before an offset of a file.
pub(super) fn is_behind_call(file: &Area, offset: u64) -> bool {
    const DIRECT: u8 = 0xe8;
    const INDIRECT: u8 = 0xff;
    // Distances at which an indirect call may begin: its address takes up to five bytes behind opcode and mode.
    let indirect = |back: &u64| {
        let start = offset.checked_sub(*back);
        let code = start.and_then(|start| Some((file.u8(start)?, file.u8(start + 1)?)));
        code.is_some_and(|(opcode, mode)| opcode == INDIRECT && mode >> 3 & 7 == 2)
    };
    offset.checked_sub(5).and_then(|start| file.u8(start)) == Some(DIRECT) || [2, 3, 4, 6, 7].iter().any(indirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_instructions() {
        let behind = |code: &[u8]| is_behind_call(&Area::memory(code.to_vec()), code.len() as u64);
        let calls: [&[u8]; 8] = [
            &[0xe8, 0, 0, 0, 0],                   // call rel32
            &[0xff, 0x15, 0, 0, 0, 0],             // call *0(%rip)
            &[0xff, 0xd0],                         // call *%rax
            &[0x41, 0xff, 0xd4],                   // call *%r12
            &[0xff, 0x50, 8],                      // call *8(%rax)
            &[0xff, 0x54, 0x24, 8],                // call *8(%rsp)
            &[0xff, 0x90, 0, 1, 0, 0],             // call *256(%rax)
            &[0x42, 0xff, 0x94, 0xc0, 0, 1, 0, 0], // call *256(%rax,%r8,8)
        ];
        assert!(calls.iter().all(|code| behind(code)));
        let others: [&[u8]; 5] = [
            &[],
            &[0xff],
            &[0x0f, 0x05],       // syscall
            &[0xe9, 0, 0, 0, 0], // jmp rel32
            &[0xff, 0xe0],       // jmp *%rax
        ];
        assert!(!others.iter().any(|code| behind(code)));
        assert!(!is_behind_call(&Area::memory(vec![0xe8; 3]), u64::MAX));
    }
}
