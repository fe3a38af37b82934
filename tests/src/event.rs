//! One line of the observer's output, and how it is compared with what was really done.

use std::fmt;
use std::net::SocketAddr;

use serde_json::Value;

use crate::act::Act;

/// A parsed line.
#[derive(Clone, PartialEq)]
pub struct Event(Value);

impl Event {
    /// Parses one line; every line must be one JSON object of our schema.
    pub fn parse(line: &str) -> Self {
        Self::parse_as("conn-observer/1", line)
    }

    /// The same of another format that has these names, too.
    pub fn parse_as(schema: &str, line: &str) -> Self {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line:?}"));
        let event = Self(value);
        assert_eq!(event.text("schema"), schema, "{event:?}");
        let time = event.text("time");
        assert!(time.len() == "2026-01-01T00:00:00.000000000Z".len() && time.ends_with('Z'), "time {time:?}");
        event
    }

    /// The value at a dotted path, `null` when absent.
    pub fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.0, |value, key| &value[key])
    }

    /// The string at a path; empty when absent.
    pub fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// The number at a path.
    pub fn number(&self, path: &str) -> u64 {
        self.at(path).as_u64().unwrap_or_else(|| panic!("no number {path} in {self:?}"))
    }

    /// `type`.
    pub fn kind(&self) -> &str {
        self.text("type")
    }

    /// `cause`.
    pub fn cause(&self) -> &str {
        self.text("cause")
    }

    /// Whether it tells what this end of a connection did; not of the observer itself.
    pub fn is_about_connection(&self) -> bool {
        matches!(self.kind(), "close" | "reset_sent")
    }

    /// Whether it tells of a RST that came in, most often the other side of an act on this very host.
    pub fn is_about_victim(&self) -> bool {
        self.kind() == "reset_received"
    }

    /// Whether it tells of this act's connection, seen from this act's end.
    pub fn is_at(&self, act: &Act) -> bool {
        self.end("local") == Some(act.local) && self.end("peer") == Some(act.peer)
    }

    /// Whether it tells of this act's connection, seen from either end.
    pub fn is_about(&self, act: &Act) -> bool {
        let swapped = Act { local: act.peer, peer: act.local, ..act.clone() };
        self.is_at(act) || self.is_at(&swapped)
    }

    /// One end of the connection, `local` or `peer`.
    pub fn end(&self, which: &str) -> Option<SocketAddr> {
        let address = self.text(&format!("network.{which}.address")).parse().ok()?;
        let port = self.at(&format!("network.{which}.port")).as_u64()?.try_into().ok()?;
        Some(SocketAddr::new(address, port))
    }

    /// Port of the observed end.
    pub fn local_port(&self) -> u16 {
        self.end("local").unwrap_or_else(|| panic!("no local address in {self:?}")).port()
    }

    /// In `stopped`: what became of the events of the sink whose name begins so.
    #[track_caller]
    pub fn sink(&self, name: &str) -> &Value {
        let sinks = self.at("sinks").as_array().expect("sinks");
        let found = sinks.iter().find(|sink| sink["name"].as_str().is_some_and(|full| full.starts_with(name)));
        found.unwrap_or_else(|| panic!("no {name} in {sinks:?}"))
    }

    /// Panics unless the event tells exactly of this act.
    #[track_caller]
    pub fn assert_is(&self, cause: &str, act: &Act) {
        assert_eq!(self.cause(), cause, "{self:?}\nexpected {act:?}");
        assert_eq!(self.kind(), kind_of(cause), "{self:?}");
        self.assert_connection(act);
        assert_eq!(self.number("process.pid"), u64::from(act.pid), "pid in {self:?}");
        assert_eq!(self.number("process.tid"), u64::from(act.tid), "tid in {self:?}");
        let attribution = if cause.starts_with("data_after_") { "closer" } else { "current" };
        assert_eq!(self.text("process.attribution"), attribution, "{self:?}");
        if self.kind() == "close" {
            assert_eq!(self.number("tcp.unread_bytes"), act.unread, "unread bytes in {self:?}");
        }
        self.assert_reason();
    }

    #[track_caller]
    fn assert_connection(&self, act: &Act) {
        assert_eq!(self.end("local"), Some(act.local), "local end of {self:?}");
        assert_eq!(self.end("peer"), Some(act.peer), "peer of {self:?}");
        let family = if act.local.is_ipv4() { "ipv4" } else { "ipv6" };
        assert_eq!(self.text("network.type"), family, "{self:?}");
        assert_eq!(self.text("network.transport"), "tcp", "{self:?}");
    }

    /// The kernel's reason, where this kernel gives one, and the prediction agree. Reasons came with 6.10 for RSTs that
    /// answer a segment and with 6.12 for those that a process causes; before, the prediction stands alone.
    #[track_caller]
    fn assert_reason(&self) {
        let reason = self.text("tcp.kernel_reason");
        let sent = self.kind() == "reset_sent" || self.at("tcp.reset_sent") == true;
        if sent && kernel_at_least(6, 12) {
            assert!(!reason.is_empty(), "this kernel gives a reason: {self:?}");
        }
        if reason.is_empty() {
            assert_eq!(self.text("cause_source"), "predicted", "{self:?}");
            return;
        }
        let expected: &[&str] = match self.cause() {
            "close_unread" | "close_phantom" => &["TCP_ABORT_ON_CLOSE"],
            "linger_zero" | "listener_close" => &["TCP_STATE"],
            "disconnect" => &["TCP_STATE", "TCP_DISCONNECT_WITH_DATA"],
            "linger2_timeout" => &["TCP_ABORT_ON_LINGER"],
            "data_after_close" => &["TCP_ABORT_ON_DATA"],
            "data_after_timewait" => &["TCP_TIMEWAIT_SOCKET"],
            _ => return,
        };
        assert!(expected.contains(&reason), "reason of {self:?}");
        let source = self.text("cause_source");
        let allowed: &[&str] = if self.kind() == "close" { &["both"] } else { &["both", "kernel"] };
        assert!(allowed.contains(&source), "cause_source of {self:?}");
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

fn kind_of(cause: &str) -> &'static str {
    match cause {
        "close_unread" | "close_phantom" | "linger_zero" | "linger2_timeout" | "clean" => "close",
        _ => "reset_sent",
    }
}

/// Whether the running kernel is this upstream version or a later one.
pub fn kernel_at_least(major: u32, minor: u32) -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}
