//! A receiver of OpenTelemetry logs: an OpenTelemetry Collector, or any backend that speaks OTLP.
//!
//! What the receiver says decides, by the OTLP specification: what it cannot take now is sent again, what it will never
//! take is lost and counted. A request that is not answered is sent again too, so that an event may arrive twice;
//! `service.instance.id` and `conn_observer.seq` together name it once.
//!
//! Whatever needs a file or a variable is read by [`Otlp::open`]: later this process may have no right to.

mod attributes;
mod client;
mod grpc;
mod headers;
mod http;
mod outcome;
mod record;
mod request;
mod resource;
mod target;
mod tls;

use std::time::{Duration, Instant};

use ::http::HeaderMap;
use anyhow::{Context as _, Error, Result, anyhow, bail};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};

use self::{client::Client, outcome::Outcome, request::Requests, target::Target};
use super::{Sink, Undelivered};
use crate::{
    delivery::Delivery,
    options::{OtlpProtocol, OtlpSink},
};

/// The longest time that a receiver may ask to be left alone: who asks for a day is tried again all the same.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The sink.
pub(super) struct Otlp {
    protocol: OtlpProtocol,
    timeout: Duration,
    target: Target,
    headers: HeaderMap,
    requests: Requests,
    tls: ClientConfig,
    client: Client,
    /// The receiver has asked to be left alone until then.
    not_before: Option<Instant>,
    /// Runs on the sink's thread, and only while that waits here.
    runtime: Runtime,
}

impl Otlp {
    /// Reads what it needs. Nothing is connected yet.
    ///
    /// # Errors
    /// When the endpoint, a header or a file of certificates can never work.
    pub(super) fn open(settings: &OtlpSink) -> Result<Self> {
        let timeout = settings.timeout.0;
        if settings.batch == 0 || timeout.is_zero() {
            bail!("batch and timeout must be more than zero");
        }
        let target = Target::of(settings)?;
        let headers = headers::of(&settings.headers, |name| std::env::var(name).ok())?;
        let tls = tls::config(settings, target.is_secure())?;
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start an event loop")?;
        let client = client::new(&tls, settings.protocol, timeout);
        let requests = Requests::of(settings);
        let protocol = settings.protocol;
        Ok(Self { protocol, timeout, target, headers, requests, tls, client, not_before: None, runtime })
    }

    fn send(&mut self, request: ExportLogsServiceRequest) -> Outcome {
        let client = self.client.clone();
        let sent = async {
            match self.protocol {
                OtlpProtocol::Grpc => grpc::send(client, &self.target, &self.headers, request).await,
                OtlpProtocol::Http => http::send(client, &self.target, &self.headers, &request).await,
            }
        };
        let limited = async { tokio::time::timeout(self.timeout, sent).await };
        self.runtime.block_on(limited).unwrap_or_else(|_| Outcome::Unreachable(anyhow!("no answer in time")))
    }

    /// A connection on which something went wrong is not used again: it may be dead without knowing it.
    fn reconnect(&mut self) {
        self.client = client::new(&self.tls, self.protocol, self.timeout);
    }

    fn rest(&mut self) -> Result<(), Error> {
        let left = self.not_before.map(|time| time.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if !left.is_zero() => {
                Err(anyhow!("the receiver has asked to be left alone for {} s", left.as_secs() + 1))
            }
            _ => {
                self.not_before = None;
                Ok(())
            }
        }
    }
}

impl Sink for Otlp {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        let events = delivery.events();
        let mut next = from;
        while next < events.len() {
            self.rest().map_err(|error| Undelivered::at(next, error))?;
            let (request, count) = self.requests.next(&events[next..]);
            let then = next + count;
            match self.send(request) {
                Outcome::Taken(response) => match rejected(&response, count) {
                    None => next = then,
                    Some((refused, error)) => return Err(Undelivered { next: then, refused, error }),
                },
                Outcome::Refused(error) => return Err(Undelivered { next: then, refused: count as u64, error }),
                Outcome::Later { error, after } => {
                    self.not_before = after.map(|after| Instant::now() + after.min(LONGEST_PAUSE));
                    return Err(Undelivered::at(next, error));
                }
                Outcome::Unreachable(error) => {
                    self.reconnect();
                    return Err(Undelivered::at(next, error.context(format!("cannot reach {}", self.target.uri()))));
                }
            }
        }
        Ok(())
    }

    fn batch(&self) -> usize {
        self.requests.batch()
    }

    /// Lets an idle connection answer the receiver's pings and notice its end.
    fn idle(&mut self) -> Result<()> {
        self.runtime.block_on(async {
            for _ in 0..IDLE_TURNS {
                tokio::task::yield_now().await;
            }
        });
        Ok(())
    }
}

/// Turns of the event loop that let a connection read what has come and answer it.
const IDLE_TURNS: usize = 4;

/// Records that a receiver will never take, among others that it took.
fn rejected(response: &ExportLogsServiceResponse, sent: usize) -> Option<(u64, Error)> {
    let partial = response.partial_success.as_ref()?;
    let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0).min(sent as u64);
    let told = outcome::printable(&partial.error_message);
    (rejected > 0).then(|| (rejected, anyhow!("the receiver refused {rejected} of {sent} events: {told}")))
}

#[cfg(test)]
mod tests;
