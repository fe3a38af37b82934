//! What became of a request. The rules are those of the OTLP specification, "Failures" and "Throttling", for both
//! protocols.

use std::{error::Error as StdError, time::Duration};

use anyhow::{Error, anyhow};
use http::StatusCode;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Characters of a receiver's message that are passed on.
const MESSAGE: usize = 200;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The receiver has it, all or but for what the answer says.
    Taken(ExportLogsServiceResponse),
    /// Not now.
    Later {
        /// Why.
        error: Error,
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
    },
    /// The receiver was not reached, or has not answered.
    Unreachable(Error),
    /// Never.
    Refused(Error),
}

impl Outcome {
    /// Of a request over gRPC that was not taken.
    pub(super) fn of_status(status: Status) -> Self {
        // What the receiver said comes without a cause: with one, it was our side of the connection that failed.
        if let Some(cause) = status.source() {
            return Self::Unreachable(chain(cause));
        }
        let after = status.get_details_retry_info().map(|info| info.retry_delay.unwrap_or_default());
        let error = answered(&format!("gRPC status {:?}", status.code()), status.message());
        match status.code() {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => Self::Later { error, after },
            // Only who says when can recover.
            Code::ResourceExhausted if after.is_some() => Self::Later { error, after },
            _ => Self::Refused(error),
        }
    }

    /// Of a request over HTTP that was not taken.
    pub(super) fn of_http(status: StatusCode, message: &str, after: Option<Duration>) -> Self {
        let error = answered(&format!("HTTP status {}", status.as_u16()), message);
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Later { error, after },
            _ => Self::Refused(error),
        }
    }
}

fn answered(status: &str, message: &str) -> Error {
    let message = printable(message);
    let separator = if message.is_empty() { "" } else { ": " };
    anyhow!("the receiver answered with {status}{separator}{message}")
}

/// A receiver's words: the beginning, on one line, without control characters.
pub(super) fn printable(text: &str) -> String {
    text.trim().chars().take(MESSAGE).map(|one| if one.is_control() { ' ' } else { one }).collect()
}

/// An error and its causes. Libraries repeat a cause in the text of what it caused.
pub(super) fn chain(error: &dyn StdError) -> Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    anyhow!("{text}")
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn later(outcome: &Outcome) -> Option<Option<Duration>> {
        match outcome {
            Outcome::Later { after, .. } => Some(*after),
            _ => None,
        }
    }

    #[test]
    fn grpc_statuses_are_sorted_as_the_specification_does() {
        let again = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for code in (0..17).map(Code::from_i32).filter(|code| *code != Code::Ok) {
            let outcome = Outcome::of_status(Status::new(code, "so"));
            assert_eq!(later(&outcome).is_some(), again.contains(&code), "{outcome:?}");
        }
    }

    #[test]
    fn a_receiver_over_grpc_says_when_to_come_again() {
        let wait = Duration::from_millis(2_500);
        for code in [Code::Unavailable, Code::ResourceExhausted] {
            let status = Status::with_error_details(code, "busy", ErrorDetails::with_retry_info(Some(wait)));
            assert_eq!(later(&Outcome::of_status(status)), Some(Some(wait)), "{code:?}");
        }
        let status = Status::with_error_details(Code::Internal, "bug", ErrorDetails::with_retry_info(Some(wait)));
        assert_eq!(later(&Outcome::of_status(status)), None);
    }

    #[test]
    fn a_connection_that_fails_is_not_the_receivers_answer() {
        let status = Status::from_error(Box::new(std::io::Error::other("reset")));
        assert!(matches!(Outcome::of_status(status), Outcome::Unreachable(_)));
    }

    #[test]
    fn http_statuses_are_sorted_as_the_specification_does() {
        for code in 201..600 {
            let outcome = Outcome::of_http(StatusCode::from_u16(code).unwrap(), "", None);
            assert_eq!(later(&outcome).is_some(), [429, 502, 503, 504].contains(&code), "{code}: {outcome:?}");
        }
    }

    #[test]
    fn a_receivers_words_stay_on_one_line() {
        let Outcome::Refused(error) = Outcome::of_http(StatusCode::FORBIDDEN, "no\n\u{1b}[2J token", None) else {
            panic!("refused")
        };
        assert_eq!(error.to_string(), "the receiver answered with HTTP status 403: no  [2J token");
        assert_eq!(printable(&"x".repeat(1_000)).len(), MESSAGE);
    }
}
