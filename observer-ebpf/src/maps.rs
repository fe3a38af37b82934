//! Every map of the programs. User space sets the sizes marked so before the load.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf},
};
use observer_ebpf::{
    Churn, DNS_RING_BYTES, ListenerKey, NOTE_SETS, NoteSet, OwnerSet, Pair, Person, SELECTION_SLOTS, STAT_SLOTS,
    Selection, Total, TotalKey,
};

/// Findings on their way to user space; sized by `--ring-size`.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Lives of processes on their way to user space.
#[map]
pub(crate) static PROCESSES: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// DNS messages on their way to user space. User space makes it small when nobody wants them.
#[map]
pub(crate) static DNS: RingBuf = RingBuf::with_byte_size(DNS_RING_BYTES, 0);

// Hash maps are allocated ahead: kernels before 6.1 warn about, and taint themselves with, a kprobe program whose maps
// allocate at run time.

/// Totals by namespace and cause. User space makes the entries of namespace 0 before the hooks are attached.
#[map]
pub(crate) static TOTALS: PerCpuHashMap<TotalKey, Total> = PerCpuHashMap::with_max_entries(8_192, 0);

/// Statistics by [`observer_ebpf::Stat`].
#[map]
pub(crate) static STATS: PerCpuArray<u64> = PerCpuArray::with_max_entries(STAT_SLOTS, 0);

/// What is remembered of live sockets, by address.
#[map]
pub(crate) static NOTES: Array<NoteSet> = Array::with_max_entries(NOTE_SETS, MAPPABLE);

/// `BPF_F_MMAPABLE` of `include/uapi/linux/bpf.h` (5.5): its first value begins a page, hence a line of the processor's cache.
const MAPPABLE: u32 = 1 << 10;

/// Who holds or held which connection; sized by `--owners`. User space seeds it, in memory that it shares: by a system call
/// it could only write whole sets.
#[map]
pub(crate) static OWNERS: Array<OwnerSet> = Array::with_max_entries(4_096, MAPPABLE);

/// Who listens on which port. User space seeds it.
#[map]
pub(crate) static LISTENERS: LruHashMap<ListenerKey, Person> = LruHashMap::with_max_entries(4_096, 0);

/// Connections that a listener leaves behind, by the task that closes it.
#[map]
pub(crate) static UNACCEPTED: LruHashMap<u64, u32> = LruHashMap::with_max_entries(1_024, 0);

/// Sockets that ask port 53, by cookie. User space makes it small when nobody wants to know.
#[map]
pub(crate) static ASKERS: LruHashMap<u64, u8> = LruHashMap::with_max_entries(16_384, 0);

/// Connections by process and peer; sized by `--churn-pairs`. User space takes the entries of a window when it is over.
#[map]
pub(crate) static CHURN: HashMap<Pair, Churn> = HashMap::with_max_entries(8_192, 0);

/// The window that is counted now, 0 or 1.
#[map]
pub(crate) static CHURN_WINDOW: Array<u32> = Array::with_max_entries(1, 0);

/// Which filters are in force, when they may change: their number, which begins the keys of the maps below, and above it
/// the bits of [`observer_ebpf::Filters`]. One word, so that they change at once.
#[map]
pub(crate) static GENERATION: Array<u64> = Array::with_max_entries(1, 0);

/// What is reported, when that may change; by the lowest bit of the generation.
#[map]
pub(crate) static SELECTIONS: Array<Selection> = Array::with_max_entries(SELECTION_SLOTS, 0);

/// Observed process ids. User space makes it larger when two generations have to fit.
#[map]
pub(crate) static PIDS: HashMap<[u32; 2], u8> = HashMap::with_max_entries(8_192, 0);

/// Observed names.
#[map]
pub(crate) static COMMS: HashMap<[u32; 5], u8> = HashMap::with_max_entries(128, 0);

/// Observed user ids.
#[map]
pub(crate) static UIDS: HashMap<[u32; 2], u8> = HashMap::with_max_entries(512, 0);

/// Observed ports, host byte order.
#[map]
pub(crate) static PORTS: HashMap<[u32; 2], u8> = HashMap::with_max_entries(512, 0);

/// Observed namespaces.
#[map]
pub(crate) static NETNS: HashMap<[u32; 2], u8> = HashMap::with_max_entries(512, 0);

/// Observed remote addresses, as prefixes of IPv4-mapped IPv6 addresses.
#[map]
pub(crate) static PEERS: LpmTrie<[u32; 5], u8> = LpmTrie::with_max_entries(2_048, 0);
