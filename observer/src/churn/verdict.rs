//! The verdict on one process and peer. docs/causes.md tells the rules.

use std::{sync::Arc, time::Duration};

use observer_ebpf::{Attribution, Churn as Count, Pair, Role as RoleCode};

use super::Window;
use crate::{
    decode,
    event::{
        AddressType, Cgroup, Churn, ChurnConnections, ChurnNetwork, ChurnPeer, ChurnVerdict, Reuse, Role, ServedPort,
    },
    severity::Severity,
};

/// Fewer closes within a window are nothing to speak of.
pub(super) const FEWEST: u64 = 10;

/// Closes per second at which it is worth mending: health checks are less frequent.
const BUSY: f64 = 1.0;

/// The verdict; None where there is nothing to tell.
pub(super) fn of(pair: &Pair, count: &Count, window: &Window) -> Option<Churn> {
    if count.closed < FEWEST || !mostly_short_lived(count) {
        return None;
    }
    let verdict = if is_half(count.peer_first, count.closed) {
        ChurnVerdict::PeerCloses
    } else if is_half(count.flagged, count.closed) {
        ChurnVerdict::Resets
    } else {
        ChurnVerdict::Closes
    };
    describe(pair, count, window, verdict)
}

/// Half of the connections ended early.
pub(super) fn mostly_short_lived(count: &Count) -> bool {
    is_half(count.short_lived, count.closed)
}

/// Half, or more.
fn is_half(part: u64, whole: u64) -> bool {
    part >= whole.div_ceil(2)
}

/// Adds what else was counted of the same subject.
pub(super) fn add(sum: &mut Count, one: &Count) {
    let sums = [
        (&mut sum.opened, one.opened),
        (&mut sum.closed, one.closed),
        (&mut sum.flagged, one.flagged),
        (&mut sum.short_lived, one.short_lived),
        (&mut sum.peer_first, one.peer_first),
        (&mut sum.single, one.single),
        (&mut sum.lifetime_us, one.lifetime_us),
        (&mut sum.srtt_us, one.srtt_us),
        (&mut sum.measured, one.measured),
        (&mut sum.sent_bytes, one.sent_bytes),
        (&mut sum.received_bytes, one.received_bytes),
    ];
    for (sum, one) in sums {
        *sum = sum.saturating_add(one);
    }
}

/// The event; None for a count that no kernel side makes.
pub(super) fn describe(pair: &Pair, count: &Count, window: &Window, verdict: ChurnVerdict) -> Option<Churn> {
    let role = match pair.role {
        RoleCode::CLIENT => Role::Client,
        RoleCode::SERVER => Role::Server,
        _ => return None,
    };
    let rate = rate(count.closed, window.length);
    let srtt_us = (count.measured > 0).then(|| count.srtt_us as f64 / count.measured as f64);
    let wasted = wasted(count, window.length);
    let severity = match (role, verdict) {
        (Role::Client, ChurnVerdict::Resets | ChurnVerdict::Closes) if rate >= BUSY => Severity::Suspect,
        _ => Severity::Benign,
    };
    let cgroup = count.who.cgroup_id;
    Some(Churn {
        verdict,
        severity,
        process: Arc::new(decode::process(&window.clock, &count.who, Attribution::CURRENT).ok()??),
        processes: None,
        cgroup: (cgroup != 0).then_some(Cgroup { id: cgroup, path: None }),
        container: None,
        systemd: None,
        k8s: None,
        network: network(pair, role),
        window_ms: u64::try_from(window.length.as_millis()).unwrap_or(u64::MAX),
        connections: ChurnConnections {
            opened: count.opened,
            closed: count.closed,
            flagged: count.flagged,
            short_lived: count.short_lived,
            peer_first: count.peer_first,
        },
        rate_per_s: to_thousandths(rate),
        mean_lifetime_ms: to_thousandths(count.lifetime_us as f64 / count.closed.max(1) as f64 / 1_000.0),
        reuse: reuse(count),
        handshakes_wasted: wasted,
        wasted_ms: srtt_us.map(|srtt| to_thousandths(wasted as f64 * srtt / 1_000.0)),
        sent_bytes: count.sent_bytes / count.closed.max(1),
        received_bytes: count.received_bytes / count.closed.max(1),
        hint: None,
        beyond: None,
        uncounted: None,
    })
}

fn network(pair: &Pair, role: Role) -> ChurnNetwork {
    let peer = decode::address(pair.peer);
    ChurnNetwork {
        kind: if peer.is_ipv4() { AddressType::Ipv4 } else { AddressType::Ipv6 },
        transport: "tcp".into(),
        role,
        local: (role == Role::Server).then_some(ServedPort { port: pair.port }),
        peer: ChurnPeer {
            address: peer,
            port: (role == Role::Client).then_some(pair.port),
            name: None,
            name_source: None,
        },
        namespace: (pair.netns != 0).then_some(pair.netns),
        host_namespace: None,
    }
}

/// What TCP can tell of it: a segment holds one request or a part of one, as long as none is sent before its
/// predecessor is answered.
fn reuse(count: &Count) -> Option<Reuse> {
    if count.single >= count.closed {
        Some(Reuse::None)
    } else {
        (count.short_lived < count.closed).then_some(Reuse::Some)
    }
}

/// Handshakes beyond those of as many connections as were open at a time on average (Little's law), at least one.
fn wasted(count: &Count, window: Duration) -> u64 {
    let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
    count.closed.saturating_sub(count.lifetime_us.div_ceil(window_us).max(1))
}

fn rate(closed: u64, window: Duration) -> f64 {
    closed as f64 / window.as_secs_f64().max(1e-3)
}

fn to_thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
