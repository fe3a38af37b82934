//! Who: a process and its thread, and what is known of its program.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// A process and its thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Name of the process (`comm`, at most 15 bytes).
    pub comm: String,
    /// The thread.
    pub thread: Thread,
    /// The user.
    pub user: User,
    /// When it started, ns of CLOCK_BOOTTIME; 0 when unknown. With `pid` it names the process for good.
    #[serde(skip)]
    pub start_ns: u64,
    /// When it started, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// The program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<Executable>,
    /// Its arguments, the program's name first, as far as known; secrets are masked (`--redact-args`).
    #[serde(skip_serializing_if = "<[_]>::is_empty", default)]
    pub command_args: Arc<[String]>,
    /// Some arguments, or the end of one, were too long to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_truncated: Option<bool>,
    /// Its parent, the parent's parent and so on, up to five.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parents: Vec<Ancestor>,
    /// It has a controlling terminal: somebody sits at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interactive: Option<bool>,
    /// What it is written in, or runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// The process was exiting: the kernel closed its files for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exiting: Option<bool>,
    /// How the process was found.
    pub attribution: Attribution,
}

impl Process {
    /// A process of which nothing else is known.
    #[must_use]
    pub fn of(pid: u32, tid: u32, attribution: Attribution) -> Self {
        Self {
            pid,
            tid,
            comm: String::new(),
            thread: Thread::default(),
            user: User::default(),
            start_ns: 0,
            start_time: None,
            executable: None,
            command_args: Arc::default(),
            args_truncated: None,
            parents: Vec::new(),
            interactive: None,
            runtime: None,
            exiting: None,
            attribution,
        }
    }
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Thread {
    /// Name of the thread (`comm`, at most 15 bytes).
    pub name: String,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Real user id.
    pub id: u32,
    /// Its name in this host's user database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Executable {
    /// Absolute path in the mount namespace of its process; as it was given to `execve()` when the process was gone
    /// before anybody could look.
    pub path: String,
    /// The file was deleted or replaced since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
}

/// A parent, or a parent's parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Ancestor {
    /// Process id.
    pub pid: u32,
    /// Name of the process.
    pub comm: String,
}

/// A language runtime, or a well-known server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Runtime {
    /// `go`, `jvm`, `node`, `cpython`, `rust`, `dotnet`, `nginx` and the like.
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How a process was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// It was running and made the act itself.
    Current,
    /// It closed the connection earlier.
    Closer,
    /// It connected, accepted or reads the connection.
    Owner,
    /// It made the listener that the connection came to; nobody was seen to accept it.
    Listener,
}
