//! Stacks in the kernel.

use std::{fs, time::Instant};

use super::{
    ask::{budget, symbolizer},
    suite::{Need, tests},
};

tests![
    [Need::KernelAddresses] functions_of_the_kernel_are_named,
];

fn functions_of_the_kernel_are_named() {
    let all = fs::read_to_string("/proc/kallsyms").unwrap();
    let line = all.lines().find(|line| line.ends_with(" T tcp_close")).unwrap();
    let start = u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
    let symbolizer = symbolizer();
    let addresses = [start + 4, start + 1, 0x1000];
    let first = Instant::now();
    let frames = loop {
        let mut frames = Vec::new();
        symbolizer.kernel(&addresses, budget(), &mut frames);
        if frames[0].symbol.is_some() {
            break frames;
        }
        assert!(first.elapsed().as_secs() < 60);
    };
    for (frame, offset) in frames.iter().zip(["0x4", "0x1"]) {
        assert_eq!(frame.symbol.as_deref(), Some("tcp_close"));
        assert_eq!(frame.offset.as_deref(), Some(offset));
        assert_eq!(frame.module, None);
    }
    assert_eq!((frames[2].symbol.as_ref(), frames[2].address.as_deref()), (None, Some("0x1000")));
}
