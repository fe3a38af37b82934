//! Connections that come and go, as a sentence.

use std::{fmt::Formatter, net::SocketAddr};

use super::{Grouped, name, printable};
use crate::event::{Churn, ChurnVerdict, Reuse, Role};

/// `k8scache[4242] closed 200 connections to 10.1.2.3:6443 within 60 s, …`
pub(super) fn sentence(text: &mut Formatter<'_>, churn: &Churn) -> std::fmt::Result {
    let connections = &churn.connections;
    if churn.verdict == ChurnVerdict::OnePerProcess {
        write!(text, "{} processes named ", Grouped(churn.processes.unwrap_or(0)))?;
        printable(text, &churn.process.comm)?;
    } else {
        name(text, &churn.process)?;
    }
    write!(text, " closed {} connections ", Grouped(connections.closed))?;
    let peer = &churn.network.peer;
    match (churn.network.role, peer.port, &churn.network.local) {
        (Role::Client, Some(port), _) => write!(text, "to {}", SocketAddr::new(peer.address, port))?,
        (Role::Server, _, Some(local)) => write!(text, "from {} to its port {}", peer.address, local.port)?,
        _ => write!(text, "with {}", peer.address)?,
    }
    write!(text, " within {} s", churn.window_ms as f64 / 1_000.0)?;
    match churn.verdict {
        ChurnVerdict::Resets => write!(text, ", {} of them with RST", Grouped(connections.flagged))?,
        ChurnVerdict::PeerCloses => {
            write!(text, ", {} of them after the peer had closed", Grouped(connections.peer_first))?;
        }
        ChurnVerdict::Closes | ChurnVerdict::OnePerProcess => {}
    }
    write!(text, ", each open for {} ms on average", churn.mean_lifetime_ms)?;
    text.write_str(if churn.reuse == Some(Reuse::None) { ": none was used twice" } else { "" })?;
    Ok(())
}
