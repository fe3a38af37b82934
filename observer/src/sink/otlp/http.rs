//! One request over HTTP/1.1, as protobuf.

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use prost::Message as _;
use tonic::body::Body;
use tonic_types::pb::Status;

use super::{
    client::Client,
    outcome::{Outcome, chain},
    target::Target,
};
use crate::clock;

/// Bytes of an answer that are read: it is a short message, or a page of somebody who is no receiver.
const ANSWER: usize = 64 << 10;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Sends a request; what became of it.
pub(super) async fn send(
    client: Client,
    target: &Target,
    headers: &HeaderMap,
    message: &ExportLogsServiceRequest,
) -> Outcome {
    let body = Body::new(Full::new(Bytes::from(message.encode_to_vec())));
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = target.uri().clone();
    request.headers_mut().clone_from(headers);
    request.headers_mut().insert(CONTENT_TYPE, PROTOBUF);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(super::client::NAME));
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) => return Outcome::Unreachable(chain(&error)),
    };
    let (status, after) = (response.status(), response.headers().get(RETRY_AFTER).and_then(wait));
    let body = read(response.into_body()).await;
    if status != StatusCode::OK {
        return Outcome::of_http(status, &body.as_deref().map(words).unwrap_or_default(), after);
    }
    match body {
        Ok(body) => match ExportLogsServiceResponse::decode(body) {
            Ok(response) => Outcome::Taken(response),
            Err(_) => Outcome::Refused(anyhow::anyhow!(
                "{} answers, but not as a receiver of OTLP does: check the endpoint and its path",
                target.uri()
            )),
        },
        Err(error) => Outcome::Unreachable(error),
    }
}

async fn read(body: Incoming) -> anyhow::Result<Bytes> {
    match Limited::new(body, ANSWER).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(chain(&*error)),
    }
}

/// What an answer says: a status of Google's, as the specification has it, or just text.
fn words(body: &[u8]) -> String {
    match Status::decode(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs).or_else(|| clock::until(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_or_text() {
        let status = Status { code: 3, message: "bad batch".to_owned(), details: vec![] };
        assert_eq!(words(&status.encode_to_vec()), "bad batch");
        assert_eq!(words(b"<html>no</html>"), "<html>no</html>");
        assert_eq!(words(b""), "");
    }

    #[test]
    fn a_receiver_over_http_says_when_to_come_again() {
        assert_eq!(wait(&HeaderValue::from_static("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(&HeaderValue::from_static("Wed, 21 Oct 2015 07:28:00 GMT")), Some(Duration::ZERO));
        let later = wait(&HeaderValue::from_static("Fri, 01 Jan 2100 00:00:00 GMT")).unwrap();
        assert!(later > Duration::from_secs(1 << 30), "{later:?}");
        assert_eq!(wait(&HeaderValue::from_static("soon")), None);
    }
}
