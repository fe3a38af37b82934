//! A receiver of RFC 5424 messages, on this host or over TCP. Syslog knows no acknowledgement: what the kernel has taken
//! counts as delivered, and what was on its way when a connection broke may be lost without a count.

mod connection;
mod message;

use std::time::Duration;

use anyhow::{Error, Result, anyhow, ensure};

use self::{
    connection::{Connection, Failure},
    message::Messages,
};
use super::{Sink, Undelivered};
use crate::{
    delivery::Delivery,
    options::{SyslogAddress, SyslogSink},
};

/// The sink.
pub(super) struct Syslog {
    address: SyslogAddress,
    timeout: Duration,
    messages: Messages,
    connection: Option<Connection>,
    message: Vec<u8>,
}

impl Syslog {
    /// Checks the settings. It connects for the first event.
    ///
    /// # Errors
    /// When the timeout cannot be.
    pub(super) fn open(settings: &SyslogSink) -> Result<Self> {
        let SyslogSink { address, facility, timeout, .. } = settings;
        ensure!(!timeout.0.is_zero(), "sink syslog:{address}: timeout must be longer than 0");
        Ok(Self {
            address: address.clone(),
            timeout: timeout.0,
            messages: Messages::of(*facility),
            connection: None,
            message: Vec::new(),
        })
    }

    /// The connection, taken out, or a new one.
    fn connection(&mut self) -> Result<Connection> {
        // Whatever is sent behind the receiver's end would be lost.
        match self.connection.take().filter(Connection::is_open) {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.address, self.timeout),
        }
    }

    /// Sends events; what stopped it, and where.
    fn send(&mut self, connection: &mut Connection, delivery: &Delivery, from: usize) -> Result<(), (usize, Failure)> {
        for (position, event) in delivery.events().iter().enumerate().skip(from) {
            self.messages.write(event, delivery.json().line(position), &mut self.message);
            connection.send(event.seq, &self.message).map_err(|failure| (position, failure))?;
        }
        Ok(())
    }

    fn explain(&self, failure: Failure) -> Error {
        let Self { address, timeout, message, .. } = self;
        match failure {
            Failure::TooLong => {
                let length = message.len();
                anyhow!("{address} takes no datagram of {length} bytes, which an event makes: see docs/sinks.md#syslog")
            }
            Failure::Busy => anyhow!("{address} has taken nothing for {timeout:?}"),
            Failure::Broken(error) => Error::new(error).context(format!("the connection to {address} is lost")),
        }
    }
}

impl Sink for Syslog {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        let mut connection = self.connection().map_err(|error| Undelivered::at(from, error))?;
        let sent = self.send(&mut connection, delivery, from);
        if !matches!(sent, Err((_, Failure::Broken(_)))) {
            self.connection = Some(connection);
        }
        sent.map_err(|(position, failure)| {
            let refused = matches!(failure, Failure::TooLong);
            Undelivered { next: position + usize::from(refused), refused: refused.into(), error: self.explain(failure) }
        })
    }

    fn idle(&mut self) -> Result<()> {
        // A receiver that ends is answered at once; the next event finds it again.
        self.connection.take_if(|connection| !connection.is_open());
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        // The address may lead elsewhere now. A message that was begun goes on where it is.
        if let Some(connection) = self.connection.take_if(|connection| connection.is_between_messages()) {
            connection.close();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(connection) = self.connection.take() {
            connection.close();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
