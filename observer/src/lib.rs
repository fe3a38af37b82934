//! conn-observer: names who closed a TCP connection badly.
//!
//! ```text
//!  observer-ebpf (kernel)                observer (this crate)
//!  hooks ─► EVENTS ring ───────────────► kernel ─► decode ─► event ─► render ─► output
//!    ▲  └─► per-CPU totals ────────────► kernel ─► loss, stopped ────┘
//!    └── frozen offsets, filter maps ◄── kernel ◄── options ◄── cli
//! ```
//!
//! Data flows one way. A module may use those declared before it, never those after it: `tests/order.rs` holds the
//! list. `kernel` is the only door to aya and BTF, `cli` the only one to clap.

pub mod cause;
pub mod event;
pub mod options;
pub mod kernel;
pub mod clock;
pub mod decode;
pub mod message;
pub mod render;
pub mod stream;
pub mod output;
pub mod command;
pub mod observe;
pub mod cli;
