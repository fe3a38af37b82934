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
pub mod procfile;
pub mod netns;
pub mod seed;
pub mod cause;
pub mod severity;
pub mod event;
pub mod plan;
pub mod options;
pub mod kernel;
pub mod audit;
pub mod clock;
pub mod message;
pub mod judge;
pub mod decode;
pub mod pairs;
pub mod render;
pub mod stream;
pub mod output;
pub mod command;
pub mod signals;
pub mod observe;
pub mod doctor;
pub mod cli;
