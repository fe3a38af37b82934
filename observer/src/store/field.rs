//! What findings are counted by and looked for: one set of fields for filters, groups and columns.

/// The port of the service.
pub(super) const PORT: &str = "CASE kind.role WHEN 'server' THEN event.local_port ELSE event.peer_port END";

/// What findings can be counted by and looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Name of the process.
    Process,
    /// Process id.
    Pid,
    /// Name of the thread.
    Thread,
    /// Path of the executable.
    Executable,
    /// Language runtime or server.
    Runtime,
    /// Name of the user, or the id where it has none.
    User,
    /// systemd unit.
    Unit,
    /// Container id.
    Container,
    /// UID of the Kubernetes pod.
    Pod,
    /// Host that has told it.
    Host,
    /// Type of the event.
    Type,
    /// Cause.
    Cause,
    /// Severity.
    Severity,
    /// The kernel's reason for the RST.
    Reason,
    /// State of the connection before the act.
    State,
    /// Which end of the connection this host is.
    Role,
    /// Name of the peer, or its address where it has none.
    Peer,
    /// Address of the peer.
    Address,
    /// Port of the service: the peer's, or the local one of a server.
    Port,
    /// Inode of the network namespace.
    Namespace,
    /// Innermost function of the program.
    Stack,
    /// What to do about it.
    Advice,
    /// Minute in which it happened.
    Minute,
    /// Hour.
    Hour,
    /// Day.
    Day,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 25] = [
        Self::Process,
        Self::Pid,
        Self::Thread,
        Self::Executable,
        Self::Runtime,
        Self::User,
        Self::Unit,
        Self::Container,
        Self::Pod,
        Self::Host,
        Self::Type,
        Self::Cause,
        Self::Severity,
        Self::Reason,
        Self::State,
        Self::Role,
        Self::Peer,
        Self::Address,
        Self::Port,
        Self::Namespace,
        Self::Stack,
        Self::Advice,
        Self::Minute,
        Self::Hour,
        Self::Day,
    ];

    /// The name in options and column heads.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Pid => "pid",
            Self::Thread => "thread",
            Self::Executable => "executable",
            Self::Runtime => "runtime",
            Self::User => "user",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Host => "host",
            Self::Type => "type",
            Self::Cause => "cause",
            Self::Severity => "severity",
            Self::Reason => "reason",
            Self::State => "state",
            Self::Role => "role",
            Self::Peer => "peer",
            Self::Address => "address",
            Self::Port => "port",
            Self::Namespace => "namespace",
            Self::Stack => "stack",
            Self::Advice => "advice",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Whether the counts by the minute have it; single events have all.
    pub(super) fn is_tallied(self) -> bool {
        !matches!(self, Self::Pid | Self::Thread | Self::Namespace)
    }

    /// Whether it is a part of the time.
    pub(super) fn is_of_time(self) -> bool {
        matches!(self, Self::Minute | Self::Hour | Self::Day)
    }

    /// Whether the kind of a finding tells it, or the time.
    pub(super) fn is_of_kind_or_time(self) -> bool {
        let of_kind = matches!(
            self,
            Self::Type | Self::Cause | Self::Severity | Self::Reason | Self::State | Self::Role | Self::Advice
        );
        of_kind || self.is_of_time()
    }

    /// Its value, as text, in terms of single events, or of the counts by the minute (`t`).
    pub(super) fn expression(self, direct: bool) -> &'static str {
        match (self, direct) {
            (Self::Process, _) => "program.comm",
            (Self::Pid, false) => "t.pid",
            (Self::Pid, true) => "process.pid",
            (Self::Thread, false) => "t.thread",
            (Self::Thread, true) => "actor.thread",
            (Self::Executable, _) => "program.executable",
            (Self::Runtime, _) => "program.runtime",
            (Self::User, _) => "coalesce(program.user, program.uid)",
            (Self::Unit, _) => "program.unit",
            (Self::Container, _) => "program.container",
            (Self::Pod, _) => "program.pod",
            (Self::Host, false) => "program.host",
            (Self::Host, true) => "session.host",
            (Self::Type, _) => "kind.type",
            (Self::Cause, _) => "kind.cause",
            (Self::Severity, _) => "kind.severity",
            (Self::Reason, _) => "kind.kernel_reason",
            (Self::State, _) => "kind.state",
            (Self::Role, _) => "kind.role",
            (Self::Peer, _) => "coalesce(peer.name, peer.address)",
            (Self::Address, _) => "peer.address",
            (Self::Port, false) => "t.port",
            (Self::Port, true) => PORT,
            (Self::Namespace, false) => "t.namespace",
            (Self::Namespace, true) => "event.namespace",
            (Self::Stack, _) => "stack.place",
            (Self::Advice, _) => "kind.advice",
            (Self::Minute, false) => "strftime('%Y-%m-%dT%H:%MZ', t.time / 1000000000, 'unixepoch')",
            (Self::Minute, true) => "strftime('%Y-%m-%dT%H:%MZ', event.time / 1000000000, 'unixepoch')",
            (Self::Hour, false) => "strftime('%Y-%m-%dT%H:00Z', t.time / 1000000000, 'unixepoch')",
            (Self::Hour, true) => "strftime('%Y-%m-%dT%H:00Z', event.time / 1000000000, 'unixepoch')",
            (Self::Day, false) => "strftime('%Y-%m-%d', t.time / 1000000000, 'unixepoch')",
            (Self::Day, true) => "strftime('%Y-%m-%d', event.time / 1000000000, 'unixepoch')",
        }
    }
}

/// Which events come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest.
    #[default]
    Oldest,
    /// The latest.
    Latest,
    /// Those with the most unread bytes.
    Unread,
    /// By a field, those without it last.
    Field(Field),
}

impl Order {
    /// As SQL has it.
    pub(super) fn text(self) -> String {
        match self {
            Self::Oldest => "event.time, event.id".to_owned(),
            Self::Latest => "event.time DESC, event.id DESC".to_owned(),
            Self::Unread => "event.unread_bytes DESC, event.time, event.id".to_owned(),
            Self::Field(field) => format!("{} NULLS LAST, event.time, event.id", field.expression(true)),
        }
    }
}
