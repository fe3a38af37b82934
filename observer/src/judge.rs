//! How bad a finding is: the rules. docs/causes.md tells them in the same order.

use crate::{
    cause::Cause,
    event::{Attribution, Finding},
    severity::Severity,
};

/// Whether so many bytes may be a TLS alert: `close_notify` takes 24 bytes in TLS 1.3 (RFC 8446 §5.2 and §6) and 31 to 61
/// in TLS 1.2, by cipher. Less than that is a small request rather than a farewell.
pub(crate) fn may_be_alert(bytes: u32) -> bool {
    (24..=64).contains(&bytes)
}

/// How bad a finding is.
#[must_use]
pub fn severity(finding: &Finding) -> Severity {
    let tcp = &finding.tcp;
    let unread = tcp.unread_bytes.unwrap_or(0);
    let unacked = tcp.unacked_bytes.unwrap_or(0);
    let fin = tcp.fin_received == Some(true);
    let exiting = finding.process.as_ref().is_some_and(|process| process.exiting == Some(true));
    let closed_before = finding.process.as_ref().is_some_and(|process| process.attribution == Attribution::Closer);
    // A RST drops what the other end has not acknowledged yet, whoever sends it.
    let output_lost = unacked > 0 && (tcp.reset_sent || finding.cause == Cause::ResetByPeer);
    match finding.cause {
        Cause::Clean => Severity::Benign,
        Cause::OutOfMemory => Severity::Harmful,
        _ if output_lost => Severity::Harmful,
        _ if exiting => Severity::Benign,
        Cause::CloseUnread if fin && may_be_alert(unread) => Severity::Benign,
        Cause::CloseUnread if fin => Severity::Suspect,
        Cause::CloseUnread => Severity::Harmful,
        Cause::ClosePhantom => Severity::Benign,
        Cause::LingerZero | Cause::Disconnect | Cause::ListenerClose | Cause::AdminKill | Cause::KeepaliveTimeout
            if unread > 0 =>
        {
            Severity::Harmful
        }
        Cause::LingerZero if fin => Severity::Benign,
        Cause::DataAfterClose | Cause::DataAfterTimewait | Cause::NoSocket => late(finding),
        Cause::ResetByPeer if closed_before => Severity::Benign,
        _ => Severity::Suspect,
    }
}

/// Data that came after the close: an alert is a farewell, more of it was meant to be read.
fn late(finding: &Finding) -> Severity {
    let farewell = finding.tcp.segment_bytes.is_some_and(|bytes| bytes == 0 || may_be_alert(bytes));
    let without_story = finding.cause == Cause::NoSocket && finding.process.is_none();
    if farewell || without_story { Severity::Benign } else { Severity::Suspect }
}

#[cfg(test)]
mod tests {
    use Severity::{Benign, Harmful, Suspect};

    use super::*;
    use crate::event::{CauseSource, Process, Tcp};

    fn process(attribution: Attribution, exiting: bool) -> Process {
        Process { exiting: exiting.then_some(true), ..Process::of(1, 1, attribution) }
    }

    fn judge(cause: Cause, process: Option<Process>, tcp: Tcp) -> Severity {
        let process = process.map(Into::into);
        severity(&Finding { process, tcp, ..Finding::of(cause, CauseSource::Predicted) })
    }

    /// Cause, unread, unacknowledged, FIN received, RST sent: severity.
    const ACTS: &[(Cause, u32, u32, bool, bool, Severity)] = &[
        (Cause::CloseUnread, 4_022, 0, false, true, Harmful),
        (Cause::CloseUnread, 24, 0, true, true, Benign),
        (Cause::CloseUnread, 65, 0, true, true, Suspect),
        (Cause::CloseUnread, 23, 0, true, true, Suspect),
        (Cause::CloseUnread, 24, 1, true, true, Harmful),
        (Cause::CloseUnread, 24, 1, true, false, Benign),
        (Cause::ClosePhantom, 0, 0, false, true, Benign),
        (Cause::LingerZero, 0, 0, false, true, Suspect),
        (Cause::LingerZero, 0, 0, true, true, Benign),
        (Cause::LingerZero, 1, 0, false, true, Harmful),
        (Cause::LingerZero, 0, 1, true, true, Harmful),
        (Cause::Disconnect, 0, 0, false, true, Suspect),
        (Cause::Disconnect, 1, 0, false, true, Harmful),
        (Cause::ListenerClose, 0, 0, false, true, Suspect),
        (Cause::ListenerClose, 100, 0, false, true, Harmful),
        (Cause::AdminKill, 0, 0, false, true, Suspect),
        (Cause::AdminKill, 0, 9, false, true, Harmful),
        (Cause::KeepaliveTimeout, 0, 0, false, true, Suspect),
        (Cause::Linger2Timeout, 0, 0, false, true, Suspect),
        (Cause::OutOfMemory, 0, 0, false, true, Harmful),
        (Cause::BadSegment, 0, 0, false, true, Suspect),
        (Cause::Mptcp, 0, 0, false, true, Suspect),
        (Cause::Unclassified, 0, 0, false, true, Suspect),
        (Cause::ResetByPeer, 0, 0, false, false, Suspect),
        (Cause::ResetByPeer, 0, 7, false, false, Harmful),
        (Cause::ConnectionRefused, 0, 0, false, false, Suspect),
        (Cause::Clean, 0, 0, true, false, Benign),
    ];

    #[test]
    fn an_act_is_judged_by_what_it_lost() {
        for (cause, unread, unacked, fin, reset, expected) in ACTS.iter().copied() {
            let tcp = Tcp {
                unread_bytes: Some(unread),
                unacked_bytes: Some(unacked),
                fin_received: Some(fin),
                reset_sent: reset,
                ..Tcp::default()
            };
            let found = judge(cause, Some(process(Attribution::Current, false)), tcp.clone());
            assert_eq!(found, expected, "{cause} with {tcp:?}");
        }
    }

    #[test]
    fn an_exiting_process_waits_for_nothing() {
        let tcp = Tcp { unread_bytes: Some(4_022), reset_sent: true, ..Tcp::default() };
        assert_eq!(judge(Cause::CloseUnread, Some(process(Attribution::Current, true)), tcp.clone()), Benign);
        let truncated = Tcp { unacked_bytes: Some(1), ..tcp };
        assert_eq!(
            judge(Cause::CloseUnread, Some(process(Attribution::Current, true)), truncated),
            Harmful,
            "its peer does"
        );
    }

    #[test]
    fn late_data_of_the_size_of_an_alert_is_a_farewell() {
        for cause in [Cause::DataAfterClose, Cause::DataAfterTimewait, Cause::NoSocket] {
            let late = |bytes| Tcp { segment_bytes: Some(bytes), reset_sent: true, ..Tcp::default() };
            let closer = || Some(process(Attribution::Closer, false));
            assert_eq!(judge(cause, closer(), late(64)), Benign, "{cause}");
            assert_eq!(judge(cause, closer(), late(65)), Suspect, "{cause}");
            assert_eq!(judge(cause, closer(), late(14)), Suspect, "{cause}");
            assert_eq!(judge(cause, closer(), late(0)), Benign, "{cause}");
        }
        assert_eq!(judge(Cause::NoSocket, None, Tcp { segment_bytes: Some(900), ..Tcp::default() }), Benign);
    }

    #[test]
    fn a_reset_after_our_own_close_is_expected_unless_it_lost_something() {
        let closer = || Some(process(Attribution::Closer, false));
        assert_eq!(judge(Cause::ResetByPeer, closer(), Tcp::default()), Benign);
        let lost = Tcp { unacked_bytes: Some(1), ..Tcp::default() };
        assert_eq!(judge(Cause::ResetByPeer, closer(), lost), Harmful);
    }
}
