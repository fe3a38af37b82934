//! Every map of the programs. User space sets the sizes marked so before the load.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf},
};
use observer_ebpf::{Endpoints, ListenerKey, Note, Owner, Person, STAT_SLOTS, Total, TotalKey};

/// Findings on their way to user space; sized by `--ring-size`.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

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
pub(crate) static NOTES: LruHashMap<u64, Note> = LruHashMap::with_max_entries(65_536, 0);

/// Who holds or held which connection; sized by `--owners`. User space seeds it.
#[map]
pub(crate) static OWNERS: LruHashMap<Endpoints, Owner> = LruHashMap::with_max_entries(32_768, 0);

/// Who connects which socket, by its address.
#[map]
pub(crate) static CONNECTING: LruHashMap<u64, Person> = LruHashMap::with_max_entries(8_192, 0);

/// Who listens on which port. User space seeds it.
#[map]
pub(crate) static LISTENERS: LruHashMap<ListenerKey, Person> = LruHashMap::with_max_entries(4_096, 0);

/// Connections that a listener leaves behind, by the task that closes it.
#[map]
pub(crate) static UNACCEPTED: LruHashMap<u64, u32> = LruHashMap::with_max_entries(1_024, 0);

/// Observed process ids.
#[map]
pub(crate) static PIDS: HashMap<u32, u8> = HashMap::with_max_entries(8_192, 0);

/// Observed names.
#[map]
pub(crate) static COMMS: HashMap<[u32; 4], u8> = HashMap::with_max_entries(64, 0);

/// Observed user ids.
#[map]
pub(crate) static UIDS: HashMap<u32, u8> = HashMap::with_max_entries(256, 0);

/// Observed ports, host byte order.
#[map]
pub(crate) static PORTS: HashMap<u32, u8> = HashMap::with_max_entries(256, 0);

/// Observed namespaces.
#[map]
pub(crate) static NETNS: HashMap<u32, u8> = HashMap::with_max_entries(256, 0);

/// Observed remote addresses, as prefixes of IPv4-mapped IPv6 addresses.
#[map]
pub(crate) static PEERS: LpmTrie<[u32; 4], u8> = LpmTrie::with_max_entries(1_024, 0);
