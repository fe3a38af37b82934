//! What of an event has which place: taken apart when it is written, put together when it is read. The patterns name
//! every field, so that one that is new cannot be forgotten.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Time,
    event::{
        Ancestor, Attribution, Cgroup, Container, Executable, Finding, Kubernetes, Listener, Process, Runtime, Systemd,
        Thread, User,
    },
};

/// Where a process runs.
#[derive(Default)]
pub(super) struct Place<'a> {
    pub(super) cgroup: Option<&'a Cgroup>,
    pub(super) container: Option<&'a Container>,
    pub(super) systemd: Option<&'a Systemd>,
    pub(super) k8s: Option<&'a Kubernetes>,
}

impl<'a> Place<'a> {
    /// The innermost systemd unit.
    pub(super) fn unit(&self) -> Option<&'a str> {
        let systemd = self.systemd?;
        systemd.user_unit.as_deref().or(systemd.unit.as_deref())
    }
}

/// What of a process is the same for all its threads and acts: `process.detail`.
#[derive(Hash, Serialize)]
pub(super) struct Lasting<'a> {
    process: LastingProcess<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<&'a Cgroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a Container>,
    #[serde(skip_serializing_if = "Option::is_none")]
    systemd: Option<&'a Systemd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k8s: Option<&'a Kubernetes>,
}

#[derive(Hash, Serialize)]
struct LastingProcess<'a> {
    pid: u32,
    comm: &'a str,
    user: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<&'a Executable>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    command_args: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    args_truncated: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    parents: &'a [Ancestor],
    #[serde(skip_serializing_if = "Option::is_none")]
    interactive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<&'a Runtime>,
}

impl<'a> Lasting<'a> {
    pub(super) fn of(process: &'a Process, place: &Place<'a>) -> Self {
        let Process {
            pid,
            comm,
            user,
            start_time,
            executable,
            command_args,
            args_truncated,
            parents,
            interactive,
            runtime,
            // In `actor`.
            tid: _,
            thread: _,
            exiting: _,
            attribution: _,
            // Not part of what is told.
            start_ns: _,
        } = process;
        let process = LastingProcess {
            pid: *pid,
            comm,
            user,
            start_time: *start_time,
            executable: executable.as_ref(),
            command_args,
            args_truncated: *args_truncated,
            parents,
            interactive: *interactive,
            runtime: runtime.as_ref(),
        };
        Self { process, cgroup: place.cgroup, container: place.container, systemd: place.systemd, k8s: place.k8s }
    }
}

/// `process.detail`, read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Remembered {
    process: RememberedProcess,
    #[serde(default)]
    pub(super) cgroup: Option<Cgroup>,
    #[serde(default)]
    pub(super) container: Option<Arc<Container>>,
    #[serde(default)]
    pub(super) systemd: Option<Arc<Systemd>>,
    #[serde(default)]
    pub(super) k8s: Option<Arc<Kubernetes>>,
}

#[derive(Clone, Debug, Deserialize)]
struct RememberedProcess {
    pid: u32,
    comm: String,
    user: User,
    #[serde(default)]
    start_time: Option<Time>,
    #[serde(default)]
    executable: Option<Executable>,
    #[serde(default)]
    command_args: Arc<[String]>,
    #[serde(default)]
    args_truncated: Option<bool>,
    #[serde(default)]
    parents: Vec<Ancestor>,
    #[serde(default)]
    interactive: Option<bool>,
    #[serde(default)]
    runtime: Option<Runtime>,
}

/// A row of `actor`, read.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) tid: u32,
    pub(super) thread: String,
    pub(super) attribution: Attribution,
    pub(super) exiting: Option<bool>,
}

impl Remembered {
    /// The process in this part.
    pub(super) fn acting(&self, part: &Part) -> Arc<Process> {
        let process = self.process.clone();
        Arc::new(Process {
            pid: process.pid,
            tid: part.tid,
            comm: process.comm,
            thread: Thread { name: part.thread.clone() },
            user: process.user,
            start_ns: 0,
            start_time: process.start_time,
            executable: process.executable,
            command_args: process.command_args,
            args_truncated: process.args_truncated,
            parents: process.parents,
            interactive: process.interactive,
            runtime: process.runtime,
            exiting: part.exiting,
            attribution: part.attribution,
        })
    }
}

/// What of a finding no column holds: `event.detail`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Rest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<Arc<Process>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listener: Option<Listener>,
}

impl Rest {
    pub(super) fn of(finding: &Finding) -> Self {
        let Finding {
            owner,
            listener,
            // In columns, and in other tables.
            cause: _,
            cause_source: _,
            severity: _,
            process: _,
            counterpart: _,
            cgroup: _,
            container: _,
            systemd: _,
            k8s: _,
            network: _,
            tcp: _,
            stack: _,
            hint: _,
        } = finding;
        Self { owner: owner.clone(), listener: listener.clone() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owner.is_none() && self.listener.is_none()
    }
}
