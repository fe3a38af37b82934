//! conn-observer: names who closed a TCP connection badly.
//!
//! ```text
//!  observer-ebpf (kernel)                observer (this crate)
//!  hooks ─► EVENTS ring ───────────────► kernel ─► decode ─► stream ─► output
//!    ▲  └─► per-CPU totals ────────────► kernel ─────────────────┘
//!    └── frozen offsets, filter maps ◄── kernel ◄── options ◄── cli
//! ```
//!
//! Data flows one way. A module may use those declared before it, never those after it: `tests/order.rs` checks
//! it. `kernel` is the only door to aya and BTF, `cli` the only one to clap.

pub mod diagnose;
pub mod memory;
pub mod panics;
pub mod recent;
pub mod room;
pub mod procfile;
pub mod netns;
pub mod cgroup;
pub mod seed;
pub mod cause;
pub mod severity;
pub mod text;
pub mod clock;
pub mod event;
#[cfg(test)]
pub mod fixture;
pub mod placement;
pub mod runtime;
pub mod plan;
pub mod processes;
pub mod symbols;
pub mod options;
pub mod kernel;
pub mod audit;
pub mod names;
pub mod message;
pub mod judge;
pub mod hint;
pub mod decode;
pub mod churn;
pub mod pairs;
pub mod render;
pub mod vitals;
pub mod command;
pub mod sandbox;
pub mod table;
pub mod columns;
pub mod store;
pub mod source;
pub mod explain;
pub mod report;
pub mod query;
pub mod export;
pub mod diff;
pub mod delivery;
pub mod sink;
pub mod stream;
pub mod output;
pub mod attribute;
pub mod signals;
pub mod snapshot;
pub mod top;
pub mod notify;
pub mod replay;
pub mod observe;
pub mod doctor;
pub mod cli;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
