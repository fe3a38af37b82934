//! An event as a log record.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, SeverityNumber},
};

use super::attributes;
use crate::{
    event::{Body, Event},
    severity::Severity,
};

/// The record of an event.
pub(super) fn of(event: &Event, observed_ns: u64) -> LogRecord {
    let (severity, text) = severity(&event.body);
    LogRecord {
        time_unix_nano: u64::try_from(event.time.unix_ns()).unwrap_or(0),
        observed_time_unix_nano: observed_ns,
        severity_number: severity as i32,
        severity_text: text.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(event.message().to_string())) }),
        attributes: attributes::of(event),
        event_name: format!("conn_observer.{}", event.body.name()),
        ..LogRecord::default()
    }
}

/// A finding's own severity in OpenTelemetry's words. Of the observer's own events, those that say that something is
/// missing are warnings.
fn severity(body: &Body) -> (SeverityNumber, &'static str) {
    let severity = match body {
        Body::Close(finding) | Body::ResetSent(finding) | Body::ResetReceived(finding) => finding.severity,
        Body::Churn(churn) => churn.severity,
        Body::Loss(_) => Severity::Suspect,
        Body::Audit(audit) if audit.residual != Some(0) => Severity::Suspect,
        Body::Audit(_) | Body::Started(_) | Body::Reloaded(_) | Body::Stopped(_) => Severity::Benign,
    };
    match severity {
        Severity::Benign => (SeverityNumber::Info, "INFO"),
        Severity::Suspect => (SeverityNumber::Warn, "WARN"),
        Severity::Harmful => (SeverityNumber::Error, "ERROR"),
    }
}
