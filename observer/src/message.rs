//! An event as one plain sentence.

mod churn;
mod line;

use std::fmt::{Display, Formatter, Write as _};

pub use self::line::Message;
use crate::{
    cause::Cause,
    event::{Attribution, Audit, AuditedCounter, Body, Finding, Loss, Process, Relation, Role, Stopped},
};

/// The sentence of an event, made when it is written.
pub(crate) struct Sentence<'a>(pub(crate) &'a Body);

impl Display for Sentence<'_> {
    fn fmt(&self, text: &mut Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Body::Started(started) => {
                write!(text, "observing with the {} plan on kernel {}", started.hooks.plan, started.kernel)
            }
            Body::Close(finding) => close(text, finding).and_then(|()| unacked(text, finding)),
            Body::ResetSent(finding) => reset(text, finding).and_then(|()| unacked(text, finding)),
            Body::ResetReceived(finding) => received(text, finding),
            Body::Churn(churn) => churn::sentence(text, churn),
            Body::Reloaded(reloaded) => {
                let restart = reloaded.needs_restart.join(", ");
                let rest = if restart.is_empty() { String::new() } else { format!("; needs a restart: {restart}") };
                write!(text, "filters and sinks reloaded{rest}")
            }
            Body::Loss(loss) => lost(text, loss),
            Body::Audit(audit) => audited(text, audit),
            Body::Stopped(stopped) => balance(text, stopped),
        }
    }
}

fn lost(text: &mut Formatter<'_>, loss: &Loss) -> std::fmt::Result {
    let (lost, total) = (Grouped(loss.lost), Grouped(loss.total_lost));
    match &loss.sink {
        Some(sink) => write!(text, "lost {lost} events on their way to sink {sink} ({total} so far)"),
        None => {
            write!(text, "lost {lost} findings in the {} ({total} so far): a larger --ring-size holds more", loss.place)
        }
    }
}

fn audited(text: &mut Formatter<'_>, audit: &Audit) -> std::fmt::Result {
    write!(text, "audit of namespace {}: ", audit.namespace)?;
    let Some(residual) = audit.residual else {
        return text.write_str("no process is left in it to read its counters by");
    };
    // Of the others, the kernel counts more than there is to see.
    let equal = |one: &&AuditedCounter| one.relation == Relation::Equal || one.residual != 0;
    for one in audit.counters.iter().filter(equal).filter(|one| one.kernel != 0 || one.seen != 0) {
        write!(text, "{} seen of {} {}", Grouped(one.seen), Grouped(one.kernel), one.counter)?;
        text.write_str(if one.residual == 0 { ", " } else { " (!), " })?;
    }
    write!(text, "residual {}", Grouped(residual))?;
    let explanations = [(audit.missed, "runs missed"), (audit.overflow, "beyond a map's room")];
    for (count, what) in explanations.iter().filter(|(count, _)| *count > 0 && residual > 0) {
        write!(text, ", {} {what}", Grouped(*count))?;
    }
    Ok(())
}

fn balance(text: &mut Formatter<'_>, stopped: &Stopped) -> std::fmt::Result {
    write!(text, "stopped ({}): {} received", stopped.reason, Grouped(stopped.received))?;
    let doubts = [
        (stopped.lost, "lost"),
        (stopped.malformed, "malformed"),
        (stopped.disagreements, "in disagreement with the kernel"),
        (stopped.below_severity, "below the severity asked for"),
        (stopped.unattributed, "withheld, since nobody knows their process"),
        (stopped.beyond_count, "beyond the count"),
        (stopped.unknown_owners, "whose owner is not known"),
        (stopped.missed, "runs missed"),
        (stopped.overflow, "beyond a map's room"),
    ];
    for (count, what) in doubts.iter().filter(|(count, _)| *count > 0) {
        write!(text, ", {} {what}", Grouped(*count))?;
    }
    match stopped.churn {
        Some(churn) if churn.uncounted > 0 => {
            write!(text, ", {} beginnings and ends of connections not counted for churn", Grouped(churn.uncounted))
        }
        _ => Ok(()),
    }
}

/// What a RST of ours takes away from the peer.
fn unacked(text: &mut Formatter<'_>, finding: &Finding) -> std::fmt::Result {
    match finding.tcp.unacked_bytes {
        Some(count @ 1..) if finding.tcp.reset_sent => {
            write!(text, ", and dropped {} unacknowledged {}", Grouped(u64::from(count)), bytes(count))
        }
        _ => Ok(()),
    }
}

fn close(text: &mut Formatter<'_>, finding: &Finding) -> std::fmt::Result {
    who(text, finding)?;
    let exiting = finding.process.as_ref().is_some_and(|process| process.exiting == Some(true));
    text.write_str(if exiting { " exited and closed " } else { " closed " })?;
    connection(text, finding)?;
    let unread = finding.tcp.unread_bytes.unwrap_or(0);
    match finding.cause {
        Cause::CloseUnread if finding.tcp.reset_sent => {
            write!(text, " with {} unread {}: the kernel sent RST", Grouped(u64::from(unread)), bytes(unread))
        }
        Cause::CloseUnread => write!(
            text,
            " with {} unread {} after the connection was reset: no RST of its own",
            Grouped(u64::from(unread)),
            bytes(unread)
        ),
        Cause::ClosePhantom => {
            text.write_str(" with nothing unread, but this kernel took re-delivered bytes for unread ones and sent RST")
        }
        Cause::LingerZero => text.write_str(" with SO_LINGER set to zero: the kernel sent RST"),
        Cause::Linger2Timeout => text.write_str(" with TCP_LINGER2 below zero in FIN_WAIT2: the kernel sent RST"),
        Cause::Clean => text.write_str(" in order"),
        other => write!(text, " ({other})"),
    }
}

fn reset(text: &mut Formatter<'_>, finding: &Finding) -> std::fmt::Result {
    match (finding.cause, finding.process.as_ref().map(|process| process.attribution)) {
        (Cause::Disconnect, _) => {
            who(text, finding)?;
            text.write_str(" disconnected ")?;
            connection(text, finding)?;
            text.write_str(" with connect(AF_UNSPEC): the kernel sent RST")
        }
        (Cause::ListenerClose, _) => {
            who(text, finding)?;
            text.write_str(" closed a listener before it accepted ")?;
            connection(text, finding)?;
            if let Some(listener) = &finding.listener
                && listener.unaccepted > 1
            {
                write!(text, " (one of {})", Grouped(u64::from(listener.unaccepted)))?;
            }
            text.write_str(": the kernel sent RST")
        }
        (Cause::AdminKill, _) => {
            who(text, finding)?;
            text.write_str(" killed ")?;
            connection(text, finding)?;
            if let Some(owner) = &finding.owner {
                text.write_str(" of ")?;
                name(text, owner)?;
            }
            text.write_str(": the kernel sent RST")
        }
        (Cause::Mptcp, Some(Attribution::Current)) => {
            who(text, finding)?;
            text.write_str(" ended ")?;
            connection(text, finding)?;
            text.write_str(", a subflow of Multipath TCP, in a hurry: the kernel sent RST")
        }
        (Cause::KeepaliveTimeout, _) => {
            text.write_str("the peer of ")?;
            connection(text, finding)?;
            text.write_str(", held by ")?;
            who(text, finding)?;
            text.write_str(", answered no keep-alive probe: the kernel sent RST")
        }
        (Cause::DataAfterClose | Cause::DataAfterTimewait | Cause::NoSocket, Some(Attribution::Closer)) => {
            text.write_str("the kernel sent RST to data that came ")?;
            if let Some(delay) = finding.tcp.closed_ms_ago {
                write!(text, "{delay} ms ")?;
            }
            text.write_str("after ")?;
            who(text, finding)?;
            text.write_str(" had closed ")?;
            connection(text, finding)
        }
        (_, attribution) => {
            text.write_str("the kernel sent RST on ")?;
            connection(text, finding)?;
            let relation = match attribution {
                Some(Attribution::Current) => ", on account of ",
                Some(Attribution::Closer) => ", closed before by ",
                Some(Attribution::Owner) => ", held by ",
                Some(Attribution::Listener) => ", whose listener was made by ",
                None => return Ok(()),
            };
            text.write_str(relation)?;
            who(text, finding)
        }
    }
}

fn received(text: &mut Formatter<'_>, finding: &Finding) -> std::fmt::Result {
    if finding.cause == Cause::ConnectionRefused {
        who(text, finding)?;
        text.write_str(" was refused ")?;
        return connection(text, finding);
    }
    match &finding.counterpart {
        Some(counterpart) => name(text, counterpart)?,
        None => text.write_str("the peer")?,
    }
    text.write_str(" reset ")?;
    connection(text, finding)?;
    let closed = finding.process.as_ref().is_some_and(|process| process.attribution == Attribution::Closer);
    text.write_str(if closed { ", which was closed by " } else { ", held by " })?;
    who(text, finding)?;
    let left = [(finding.tcp.unread_bytes, "unread"), (finding.tcp.unacked_bytes, "unacknowledged")];
    let mut separator = ", with ";
    for (count, what) in left {
        if let Some(count @ 1..) = count {
            write!(text, "{separator}{} {what} {}", Grouped(u64::from(count)), bytes(count))?;
            separator = " and ";
        }
    }
    Ok(())
}

fn who(text: &mut Formatter<'_>, finding: &Finding) -> std::fmt::Result {
    match &finding.process {
        Some(process) => name(text, process),
        None => text.write_str("an unknown process"),
    }
}

fn name(text: &mut Formatter<'_>, process: &Process) -> std::fmt::Result {
    printable(text, &process.comm)?;
    write!(text, "[{}]", process.pid)
}

/// A process may name itself anything, line ends and terminal sequences included.
fn printable(text: &mut Formatter<'_>, comm: &str) -> std::fmt::Result {
    for character in comm.chars() {
        if character.is_control() {
            write!(text, "{}", character.escape_default())?;
        } else {
            text.write_char(character)?;
        }
    }
    Ok(())
}

fn connection(text: &mut Formatter<'_>, finding: &Finding) -> std::fmt::Result {
    let Some(network) = &finding.network else { return text.write_str("an unknown connection") };
    write!(text, "{}", network.local.socket())?;
    // The arrow points the way the connection was opened.
    text.write_str(match network.role {
        Some(Role::Server) => " ← ",
        Some(Role::Client) => " → ",
        None => " – ",
    })?;
    write!(text, "{}", network.peer.socket())
}

/// `10.0.0.1:80`, `[fd00::1]:80`
pub(crate) fn end(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn bytes(count: u32) -> &'static str {
    if count == 1 { "byte" } else { "bytes" }
}

/// `1 host`, `3,900 hosts`
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `4,022`
pub(crate) fn thousands(value: u64) -> String {
    Grouped(value).to_string()
}

/// A number in groups of three digits.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let groups = self.0.checked_ilog(1_000).unwrap_or(0);
        write!(formatter, "{}", self.0 / 1_000_u64.pow(groups))?;
        (0..groups).rev().try_for_each(|group| write!(formatter, ",{:03}", self.0 / 1_000_u64.pow(group) % 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AuditedCounter, Relation};

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(4_022), "4,022");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_048_576), "1,048,576");
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn an_audit_names_the_counters_that_moved() {
        let counter = |name: &str, seen, kernel, residual| AuditedCounter {
            counter: name.to_owned(),
            seen,
            kernel,
            residual,
            relation: Relation::Equal,
        };
        let counters = vec![
            counter("TCPAbortOnClose", 4_102, 4_103, 1),
            counter("TCPAbortOnData", 0, 0, 0),
            counter("OutRsts", 5_000, 5_000, 0),
        ];
        let audit = Audit {
            namespace: 42,
            interval_ms: 60_000,
            unreadable: false,
            missed: 1,
            overflow: 0,
            disagreements: 0,
            unknown_owners: 0,
            counters,
            residual: Some(1),
        };
        assert_eq!(
            Sentence(&Body::Audit(audit)).to_string(),
            "audit of namespace 42: 4,102 seen of 4,103 TCPAbortOnClose (!), 5,000 seen of 5,000 OutRsts, residual 1, 1 \
             runs missed"
        );
    }
}
