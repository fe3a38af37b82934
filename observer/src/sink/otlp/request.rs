//! Events as requests: as many in one as the settings and the receiver's limit allow.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::InstrumentationScope,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message as _;

use super::{record, resource};
use crate::{clock, event::Event, options::OtlpSink};

/// Bytes of records in one request at most: receivers take messages of 4 MiB unless they are told otherwise (gRPC's
/// default), and refuse larger ones for good.
const BYTES: usize = 3 << 20;

/// Makes requests.
pub(super) struct Requests {
    batch: usize,
    bytes: usize,
    resource: Resource,
    scope: InstrumentationScope,
}

impl Requests {
    /// Those of a sink.
    pub(super) fn of(settings: &OtlpSink) -> Self {
        Self {
            batch: usize::try_from(settings.batch).unwrap_or(usize::MAX),
            bytes: BYTES,
            resource: resource::of(&settings.resource),
            scope: resource::scope(),
        }
    }

    /// Events in one request at most.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// A request with the first of some events, at least one, and how many those are.
    pub(super) fn next(&self, events: &[Event]) -> (ExportLogsServiceRequest, usize) {
        let observed = u64::try_from(clock::present()).unwrap_or(0);
        let mut records: Vec<LogRecord> = Vec::with_capacity(events.len().min(self.batch));
        let mut bytes = 0;
        for event in events.iter().take(self.batch) {
            let record = record::of(event, observed);
            bytes += record.encoded_len();
            if bytes > self.bytes && !records.is_empty() {
                break;
            }
            records.push(record);
        }
        let count = records.len();
        (self.request(records), count)
    }

    fn request(&self, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
        let schema_url = resource::CONVENTIONS.to_owned();
        let scope = ScopeLogs { scope: Some(self.scope.clone()), log_records, schema_url: schema_url.clone() };
        let logs = ResourceLogs { resource: Some(self.resource.clone()), scope_logs: vec![scope], schema_url };
        ExportLogsServiceRequest { resource_logs: vec![logs] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::otlp::tests::event;

    fn counts(requests: &Requests, events: &[Event]) -> Vec<usize> {
        let mut rest = events;
        let mut counts = Vec::new();
        while !rest.is_empty() {
            let (request, count) = requests.next(rest);
            assert_eq!(request.resource_logs[0].scope_logs[0].log_records.len(), count);
            counts.push(count);
            rest = &rest[count..];
        }
        counts
    }

    #[test]
    fn a_request_has_no_more_events_than_asked_for() {
        let events: Vec<_> = (0..7).map(event).collect();
        let requests = Requests { batch: 3, ..Requests::of(&toml::from_str("").unwrap()) };
        assert_eq!(counts(&requests, &events), [3, 3, 1]);
    }

    #[test]
    fn a_request_has_no_more_bytes_than_receivers_take() {
        let mut events: Vec<_> = (0..4).map(event).collect();
        events[2].message = Some("x".repeat(9_000).into());
        let requests = Requests { bytes: 4_000, ..Requests::of(&toml::from_str("").unwrap()) };
        assert_eq!(counts(&requests, &events), [2, 1, 1], "what is larger than all goes alone");
    }
}
