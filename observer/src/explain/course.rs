//! What happened to the connection, in order: as far as the finding tells it.

use serde::Serialize;

use crate::{
    cause::Cause,
    event::{Attribution, Event, Finding, Process, Role},
    message::{counted, thousands},
};

/// Something that happened.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Step {
    /// When, in milliseconds from the act; absent where only the order is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at_ms: Option<f64>,
    /// What.
    pub(super) what: String,
}

/// What happened, the act last but for what follows from it.
pub(super) fn of(event: &Event, finding: &Finding) -> Vec<Step> {
    let mut steps = Vec::new();
    beginning(&mut steps, finding);
    transfer(&mut steps, finding);
    closing(&mut steps, finding);
    act(&mut steps, event, finding);
    aftermath(&mut steps, finding);
    steps
}

fn step(steps: &mut Vec<Step>, at_ms: Option<f64>, what: String) {
    steps.push(Step { at_ms, what });
}

fn beginning(steps: &mut Vec<Step>, finding: &Finding) {
    let Some(network) = &finding.network else { return };
    let age = finding.tcp.duration_ms.map(|age| -age);
    let peer = network.peer.socket();
    let peer = network.peer.name.as_ref().map_or_else(|| peer.to_string(), |name| format!("{peer} ({name})"));
    let what = match network.role {
        _ if finding.cause == Cause::ConnectionRefused => format!("this host asks {peer} for a connection (SYN)"),
        Some(Role::Client) => format!("opened: this host connects to {peer}"),
        Some(Role::Server) => {
            format!("opened: {peer} connects to {}", network.local.socket())
        }
        None if age.is_none() => return,
        None => format!("opened, with {peer}"),
    };
    step(steps, age, what);
}

fn transfer(steps: &mut Vec<Step>, finding: &Finding) {
    let tcp = &finding.tcp;
    if let (Some(received), Some(sent)) = (tcp.received_bytes, tcp.sent_bytes) {
        step(steps, None, format!("received {}, sent {}", counted(received, "byte"), counted(sent, "byte")));
    }
    if let Some(unread @ 1..) = tcp.unread_bytes {
        let of = tcp.received_bytes.filter(|received| *received > 0).map_or_else(String::new, |received| {
            format!(" ({} % of what was received)", u64::from(unread) * 100 / received)
        });
        step(steps, None, format!("{} came in that nobody read{of}", counted(unread.into(), "byte")));
    }
    match tcp.fin_received {
        Some(true) => step(steps, None, "the peer sent FIN: it had said all".to_owned()),
        Some(false) if finding.cause == Cause::CloseUnread => {
            step(steps, None, "the peer sent no FIN: it was still in the middle of something".to_owned());
        }
        _ => {}
    }
    if let Some(rtt) = tcp.srtt_us {
        step(steps, None, format!("a round trip took {}", milliseconds(f64::from(rtt) / 1_000.0)));
    }
}

/// A close before the act.
fn closing(steps: &mut Vec<Step>, finding: &Finding) {
    if let Some(process) = finding.process.as_ref().filter(|process| process.attribution == Attribution::Closer) {
        let ago = finding.tcp.closed_ms_ago.map(|ago| -ago);
        step(steps, ago, format!("{} closes it", named(process)));
    }
    if let Some(bytes @ 1..) = finding.tcp.segment_bytes {
        step(steps, None, format!("a segment with {} comes in", counted(bytes.into(), "byte")));
    }
}

fn act(steps: &mut Vec<Step>, event: &Event, finding: &Finding) {
    let state = finding.tcp.state.as_ref().map_or_else(String::new, |state| format!(" (the state was {state})"));
    step(steps, Some(0.0), format!("{}{state}", event.message()));
}

fn aftermath(steps: &mut Vec<Step>, finding: &Finding) {
    let tcp = &finding.tcp;
    if let Some(unacked @ 1..) = tcp.unacked_bytes
        && (tcp.reset_sent || finding.cause == Cause::ResetByPeer)
    {
        let unsent = tcp.unsent_bytes.filter(|unsent| *unsent > 0);
        let unsent =
            unsent.map_or_else(String::new, |unsent| format!(", {} of them never sent", thousands(unsent.into())));
        step(
            steps,
            None,
            format!("{} that were written but not acknowledged are gone{unsent}", counted(unacked.into(), "byte")),
        );
    }
    if tcp.reset_sent {
        let arrival = tcp.srtt_us.map(|rtt| f64::from(rtt) / 2_000.0);
        let about = if arrival.is_some() { "half a round trip later " } else { "" };
        step(steps, arrival, format!("{about}the peer gets RST: its next call fails with ECONNRESET or EPIPE"));
    }
}

/// `k8scache[4242]`
pub(super) fn named(process: &Process) -> String {
    format!("{}[{}]", crate::render::printable(&process.comm), process.pid)
}

/// `2.590 ms`, `1.2 s`
pub(super) fn milliseconds(value: f64) -> String {
    match value.abs() {
        60_000.0.. => format!("{:.1} min", value / 60_000.0),
        1_000.0.. => format!("{:.3} s", value / 1_000.0),
        _ => format!("{value:.3} ms"),
    }
}
