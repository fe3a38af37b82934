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

pub mod cause;
pub mod cli;
pub mod clock;
pub mod command;
pub mod decode;
pub mod event;
pub mod kernel;
pub mod message;
pub mod observe;
pub mod options;
pub mod output;
pub mod plan;
pub mod render;
pub mod stream;
