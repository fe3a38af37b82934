//! What the live tests stand on: a private network namespace, the observer as a child process, and makers of every
//! kind of close.
//!
//! A test reads: enter a namespace, start the observer, act, read up to the expected event. Nothing sleeps: an act is
//! complete when the kernel says so (`FIONREAD`, `SIOCOUTQ`, `TCP_INFO`), and absence is proved by a fence, a
//! permitted act behind the forbidden ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test harness fails by panicking, with the observer's words beside it"
)]

pub mod deadline;
pub mod folder;
pub mod mounts;
pub mod random;
pub mod soak;
pub mod wallclock;

pub mod counters;
pub mod link;
mod netlink;
pub mod netns;
pub mod veth;
pub mod kill;
pub mod queue;
pub mod etc;
pub mod nameserver;

pub mod act;
pub mod pair;
pub mod sock;

pub mod segment;
pub mod tun;
pub mod scripted;

pub mod abort;
pub mod late;
pub mod multipath;
pub mod orderly;
pub mod visit;

pub mod handmade;
pub mod received;
pub mod answers;

pub mod actor;
pub mod role;
pub mod crowd;
pub mod scarce;
mod sharing;
pub mod terminal;
pub mod tmux;
pub mod cgroup;

pub mod binary;
pub mod event;
pub mod report;
pub mod tail;

pub mod status;
pub mod observer;
pub mod daemon;
pub mod run;

pub mod fault;
pub mod feature;
pub mod hostname;
pub mod loaded;
pub mod peer;
pub mod python;
pub mod authority;
pub mod otlp;

pub mod http;
pub mod browser;
pub mod prometheus;
