//! Where events go besides the stream on standard output, and how each way is set up. One definition for the
//! configuration file (`[[sink.file]]`) and the command line (`--sink file,path=…`): field names are the keys of both,
//! doc comments are the documentation of both.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    quantity::{Size, Time},
    syslog::{Facility, SyslogAddress},
};

/// All sinks, in the order in which they are named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sinks {
    /// Files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file: Vec<FileSink>,
    /// systemd's journal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub journald: Vec<JournaldSink>,
    /// RFC 5424 messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub syslog: Vec<SyslogSink>,
    /// OpenTelemetry logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub otlp: Vec<OtlpSink>,
    /// Metrics to be scraped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prometheus: Vec<PrometheusSink>,
    /// Stores, to be looked at afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub record: Vec<RecordSink>,
}

impl Sinks {
    /// Nothing but the stream.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether events go anywhere as events; metrics are only counts.
    #[must_use]
    pub fn take_events(&self) -> bool {
        !Self { prometheus: Vec::new(), ..self.clone() }.is_empty()
    }
}

/// What a queue holds unless it is told otherwise.
const QUEUE: Size = Size(16 << 20);

/// A file of lines, rotated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileSink {
    /// The file that is written; rotated ones get the time of their rotation as a suffix.
    pub path: PathBuf,
    /// Rotate before the file grows beyond this.
    #[serde(default = "FileSink::max_size")]
    pub max_size: Size,
    /// Rotate a file that is older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Time>,
    /// Rotated files that are kept.
    #[serde(default = "FileSink::keep")]
    pub keep: u32,
    /// Bytes that all files together may take; the oldest rotated ones go first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_total: Option<Size>,
    /// How rotated files are compressed.
    #[serde(default)]
    pub compress: Compress,
    /// When the file is forced onto the disk.
    #[serde(default)]
    pub fsync: Fsync,
    /// Bytes of events that may wait; beyond that they are lost and counted.
    #[serde(default = "queue")]
    pub queue: Size,
}

impl FileSink {
    fn max_size() -> Size {
        Size(100 << 20)
    }

    fn keep() -> u32 {
        10
    }
}

/// How rotated files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compress {
    /// Not at all.
    #[default]
    None,
    /// Zstandard, with the suffix `.zst`.
    Zstd,
}

/// When a file is forced onto the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fsync {
    /// When the kernel does it.
    Never,
    /// When a file is complete: at its rotation and at the end.
    #[default]
    Rotate,
    /// After each batch of events.
    Batch,
}

/// systemd's journal, by its native protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct JournaldSink {
    /// The journal's socket.
    #[serde(default = "JournaldSink::socket")]
    pub socket: PathBuf,
    /// Bytes of events that may wait; beyond that they are lost and counted.
    #[serde(default = "queue")]
    pub queue: Size,
}

impl JournaldSink {
    fn socket() -> PathBuf {
        "/run/systemd/journal/socket".into()
    }
}

/// A receiver of RFC 5424 messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SyslogSink {
    /// Where it is: `unix:/dev/log`, or `tcp:host:port` (octet counting, RFC 6587).
    #[serde(default = "SyslogSink::address")]
    pub address: SyslogAddress,
    /// Facility, as `daemon` or `local0`.
    #[serde(default = "SyslogSink::facility")]
    pub facility: Facility,
    /// Longest time that connecting or sending may take.
    #[serde(default = "SyslogSink::timeout")]
    pub timeout: Time,
    /// Bytes of events that may wait; beyond that they are lost and counted.
    #[serde(default = "queue")]
    pub queue: Size,
}

impl SyslogSink {
    fn address() -> SyslogAddress {
        SyslogAddress::Unix("/dev/log".into())
    }

    fn facility() -> Facility {
        Facility::Daemon
    }

    fn timeout() -> Time {
        Time(Duration::from_secs(10))
    }
}

/// A receiver of OpenTelemetry logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OtlpSink {
    /// Its address: `http://host:4317`, or `https://…`. Over HTTP, `/v1/logs` is added when there is no path.
    #[serde(default = "OtlpSink::endpoint")]
    pub endpoint: String,
    /// How it is spoken to.
    #[serde(default)]
    pub protocol: OtlpProtocol,
    /// Headers (gRPC: metadata) of each request, as for authorization. `${NAME}` in a value is replaced by the
    /// environment variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// PEM file of the authorities to trust with `https`; without it those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Attributes of the resource, besides `service.name`, `service.version` and `host.name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, String>,
    /// Events in one request at most.
    #[serde(default = "OtlpSink::batch")]
    pub batch: u32,
    /// Longest time that a request may take.
    #[serde(default = "OtlpSink::timeout")]
    pub timeout: Time,
    /// Bytes of events that may wait; beyond that they are lost and counted.
    #[serde(default = "queue")]
    pub queue: Size,
}

impl OtlpSink {
    fn endpoint() -> String {
        "http://localhost:4317".to_owned()
    }

    fn batch() -> u32 {
        512
    }

    fn timeout() -> Time {
        Time(Duration::from_secs(10))
    }
}

/// How a receiver of OpenTelemetry logs is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OtlpProtocol {
    /// gRPC over HTTP/2, usually port 4317.
    #[default]
    Grpc,
    /// Protobuf over HTTP/1.1, usually port 4318.
    Http,
}

/// Metrics over HTTP: `/metrics` and `/healthz`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrometheusSink {
    /// Address and port that are listened at.
    #[serde(default = "PrometheusSink::listen")]
    pub listen: std::net::SocketAddr,
    /// Process names, and as many peers, that have counts of their own; all others are counted together as `other`.
    #[serde(default = "PrometheusSink::labels")]
    pub labels: u32,
    /// Bytes of events that may wait to be counted; beyond that they are lost and counted as such.
    #[serde(default = "queue")]
    pub queue: Size,
}

impl PrometheusSink {
    fn listen() -> std::net::SocketAddr {
        // As the convention of exporters has it; behind the last one that is given out.
        std::net::SocketAddr::from(([127, 0, 0, 1], 10_046))
    }

    fn labels() -> u32 {
        200
    }
}

/// A store: an SQLite file that `conn-observer query`, `report`, `top` and any SQLite client read while it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RecordSink {
    /// The file.
    pub path: PathBuf,
    /// Bytes that it may take; beyond that the oldest events go.
    #[serde(default = "RecordSink::max_size")]
    pub max_size: Size,
    /// How long events are kept.
    #[serde(default = "RecordSink::max_age")]
    pub max_age: Time,
    /// Bytes of events that may wait; beyond that they are lost and counted.
    #[serde(default = "queue")]
    pub queue: Size,
}

impl RecordSink {
    /// Into this file, within the usual limits.
    #[must_use]
    pub fn into(path: PathBuf) -> Self {
        Self { path, max_size: Self::max_size(), max_age: Self::max_age(), queue: queue() }
    }

    fn max_size() -> Size {
        Size(1 << 30)
    }

    fn max_age() -> Time {
        Time(Duration::from_hours(30 * 24))
    }
}

fn queue() -> Size {
    QUEUE
}
