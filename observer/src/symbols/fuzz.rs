//! Doors for fuzzing: files of strangers that symbols are read from.

use super::{
    area::Area,
    demangle::demangle,
    image::{Depth, Image},
    kallsyms::Kallsyms,
    maps,
    perf::PerfMap,
};

/// Memory that one file may take.
const MOST: usize = 1 << 20;

/// Addresses that everything is asked for.
const ADDRESSES: [u64; 5] = [0, 1, 0x1000, 0x1045, u64::MAX];

pub(crate) fn maps(bytes: &[u8]) -> bool {
    let maps = maps::parse(&String::from_utf8_lossy(bytes));
    for map in &maps {
        assert!(map.start < map.end, "{map:?}");
        let _ = (map.module(), map.is_made_at_run_time());
    }
    !maps.is_empty()
}

pub(crate) fn perf(bytes: &[u8]) -> bool {
    let map = PerfMap::of(&String::from_utf8_lossy(bytes));
    for address in ADDRESSES {
        assert!(map.find(address).is_none_or(|(_, start)| start <= address));
    }
    map.find(0x1000).is_some()
}

pub(crate) fn kallsyms(bytes: &[u8]) -> bool {
    let Ok(all) = Kallsyms::parse(bytes) else { return false };
    let _ = ADDRESSES.map(|address| all.find(address));
    all.find(0xffff_ffff_8100_1234).is_some()
}

pub(crate) fn demangled(bytes: &[u8]) -> bool {
    let name = String::from_utf8_lossy(bytes);
    let told = demangle(&name);
    assert!(told.len() <= 1024, "{} bytes", told.len());
    told != name
}

/// An executable with all that it may have: symbols, debug information, unwind tables, Go's table.
pub(crate) fn image(bytes: &[u8]) -> bool {
    let Some(mut image) = Image::open(Area::memory(bytes.to_vec())) else { return false };
    let code = image.elf().segments.iter().filter(|segment| segment.executable);
    let offsets = code.flat_map(|code| (0..4).map(|part| code.offset.saturating_add(code.size / 4 * part + 1)));
    let offsets: Vec<u64> = offsets.chain(ADDRESSES).collect();
    let (found, _) = image.find(&offsets, Depth::Whole, MOST);
    assert_eq!((found.len(), image.sites(&offsets).len()), (offsets.len(), offsets.len()));
    let _ = image.held();
    found.iter().flatten().any(|call| call.name.is_some())
}
