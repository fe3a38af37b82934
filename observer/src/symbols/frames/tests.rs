//! Frames are made once, and made anew when more is known, or something else.

use std::fs::File;

use super::*;
use crate::symbols::{
    area::Area, cache, image::Image, kallsyms::Symbol, maps::Mapping, perf::PerfMap, process::Process, site::Site,
};

const BEGIN: u64 = 0x1000;
const ADDRESS: u64 = BEGIN + 0x235;
const REQUEST: Request<'_> = Request {
    pid: 1,
    start_ns: 1,
    executable: None,
    text_start: 0,
    text_end: 0,
    addresses: &[ADDRESS, ADDRESS],
    top: &[],
};

fn mapped(path: &str, inode: u64) -> Process {
    let mapping = Mapping { start: BEGIN, end: BEGIN + 0x1000, offset: 0, inode, path: path.into() };
    Process::new(vec![mapping], Some(Instant::now()))
}

/// A cache that knows one process, and its name there.
fn cache(process: Process) -> (Cache, Identity) {
    let (mut cache, identity) = (Cache::new(1 << 20), Identity::of(&REQUEST));
    cache.learn(&identity, process);
    (cache, identity)
}

/// Frames, and whether they are all that there is to know.
struct Told {
    frames: Vec<Arc<Frame>>,
    complete: bool,
}

fn ask(cache: &mut Cache, identity: &Identity) -> Told {
    let mut frames = Vec::new();
    let Answer { complete, .. } = user(cache, identity, &REQUEST, Instant::now(), &mut frames);
    assert_eq!(frames.len(), REQUEST.addresses.len());
    Told { frames, complete }
}

/// What is told of the first frame: symbol, file, module and offset.
fn told(told: &Told) -> [&str; 4] {
    let Frame { symbol, file, module, offset, .. } = &*told.frames[0];
    [symbol, file, module, offset].map(|text| text.as_deref().unwrap_or_default())
}

/// This very program, as a file whose functions somebody has looked for.
fn own_file() -> (FileKey, impl Fn() -> Box<Image>) {
    let open = || File::open("/proc/self/exe").unwrap();
    let image = move || Box::new(Image::open(Area::file(open()).unwrap()).unwrap());
    (FileKey::of(&open()).unwrap(), image)
}

#[test]
fn a_symbol_that_became_known_takes_the_place_of_module_and_offset_and_lasts() {
    let (mut cache, identity) = cache(mapped("/lib/libx.so", 7));
    let (key, image) = own_file();
    let found = |depth, file: Option<&str>| {
        let call = Call { name: Some("f".into()), file: file.map(str::to_owned), line: Some(3), into: Some(0x34) };
        vec![(before(ADDRESS) - BEGIN, cache::Told { depth, calls: [call].into(), site: Site::default() })]
    };
    let bare = ["", "", "libx.so", "0x235"];
    let unopened = ask(&mut cache, &identity);
    assert_eq!((told(&unopened), unopened.complete), (bare, false));
    cache.process_mut(&identity).unwrap().settle(before(ADDRESS), Home::File(key));
    let opened = ask(&mut cache, &identity);
    assert_eq!((told(&opened), opened.complete), (bare, false));
    cache.give_back(key, image(), found(Depth::Names, None));
    let named = ask(&mut cache, &identity);
    assert_eq!((told(&named), named.complete), (["f", "", "libx.so", "0x35"], false));
    cache.give_back(key, image(), found(Depth::Whole, Some("x.c")));
    let whole = ask(&mut cache, &identity);
    assert_eq!((told(&whole), whole.complete), (["f", "x.c", "libx.so", "0x35"], true));
    assert!(Arc::ptr_eq(&whole.frames[0], &whole.frames[1]), "made once");
    let again = ask(&mut cache, &identity);
    assert!(again.complete && Arc::ptr_eq(&whole.frames[0], &again.frames[0]));
}

#[test]
fn another_file_at_the_same_address_has_frames_of_its_own() {
    let (mut cache, identity) = cache(mapped("/lib/libx.so", 7));
    cache.process_mut(&identity).unwrap().settle(before(ADDRESS), Home::Nowhere);
    let first = ask(&mut cache, &identity);
    assert_eq!((told(&first), first.complete), (["", "", "libx.so", "0x235"], true));
    cache.learn(&identity, mapped("/lib/liby.so", 8));
    let renewed = ask(&mut cache, &identity);
    assert_eq!((told(&renewed), renewed.complete), (["", "", "liby.so", "0x235"], false));
    let other = Identity::of(&Request { pid: 2, ..REQUEST });
    cache.learn(&other, mapped("/lib/libz.so", 9));
    assert_eq!(told(&ask(&mut cache, &other))[2], "libz.so", "another process");
}

#[test]
fn code_that_was_made_anew_has_its_new_name() {
    let (mut cache, identity) = cache(mapped("", 0));
    assert_eq!(told(&ask(&mut cache, &identity)), [""; 4]);
    for name in ["before", "after"] {
        cache.process_mut(&identity).unwrap().jit = Arc::new(PerfMap::of(&format!("1200 100 {name}\n")));
        for _ in 0..2 {
            assert_eq!(told(&ask(&mut cache, &identity)), [name, "", "", "0x35"]);
        }
    }
}

#[test]
fn frames_of_the_kernel_are_told_as_it_was_read_last() {
    let mut cache = Cache::new(1 << 20);
    let addresses = [ADDRESS, ADDRESS];
    assert!(!kernel(&mut cache, &addresses, &mut Vec::new()).complete);
    for name in ["tcp_close", "module_close"] {
        let symbol = |start| Some(Symbol { name: name.to_owned(), module: None, start });
        cache.learn_kernel(vec![(ADDRESS, symbol(ADDRESS)), (before(ADDRESS), symbol(BEGIN))]);
        for _ in 0..2 {
            let mut frames = Vec::new();
            let Answer { complete, .. } = kernel(&mut cache, &addresses, &mut frames);
            let answer = Told { frames, complete };
            let offsets = answer.frames.iter().map(|frame| frame.offset.as_deref().unwrap());
            assert_eq!((told(&answer)[0], answer.complete), (name, true));
            assert_eq!(offsets.collect::<Vec<_>>(), ["0x0", "0x235"], "the innermost one was called nothing");
        }
    }
}

#[test]
fn frames_keep_to_their_part_of_the_memory() {
    const MEMORY: usize = 1 << 16;
    let mut cache = Cache::new(MEMORY);
    let identity = Identity::of(&REQUEST);
    cache.learn(&identity, mapped("/lib/libx.so", 7));
    cache.process_mut(&identity).unwrap().settle(before(ADDRESS), Home::Nowhere);
    let before = cache.held();
    for address in BEGIN + 1..BEGIN + 0x1000 {
        let request = Request { addresses: &[address], ..REQUEST };
        assert!(user(&mut cache, &identity, &request, Instant::now(), &mut Vec::new()).complete);
        assert!(cache.held() - before <= MEMORY / 8, "{}", cache.held() - before);
    }
    assert!(cache.held() > before);
}

#[test]
fn what_lies_in_nothing_that_is_known_is_made_once_until_it_lies_in_something() {
    let (mut cache, identity) = cache(mapped("/lib/libx.so", 7));
    let request = Request { addresses: &[BEGIN + 0x5000], ..REQUEST };
    let ask = |cache: &mut Cache| {
        let mut frames = Vec::new();
        user(cache, &identity, &request, Instant::now(), &mut frames);
        frames.swap_remove(0)
    };
    let first = ask(&mut cache);
    assert_eq!(*first, Frame { address: Some("0x6000".to_owned()), ..Frame::default() });
    assert!(Arc::ptr_eq(&first, &ask(&mut cache)));
    let mapping = Mapping { start: BEGIN, end: BEGIN + 0x9000, offset: 0, inode: 8, path: "/lib/liby.so".into() };
    cache.learn(&identity, Process::new(vec![mapping], Some(Instant::now())));
    assert_eq!(ask(&mut cache).module.as_deref(), Some("liby.so"));
}
