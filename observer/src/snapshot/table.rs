//! The table for people: one socket a line, the one that waits longest first, and what they are together.

use std::fmt::Write as _;

use super::waiting::Waiting;
use crate::render::printable;

const HEADS: [&str; 7] = ["IDLE", "UNREAD", "PROCESS", "PEER", "LOCAL", "STATE", "IF CLOSED"];

/// Columns of numbers stand to the right.
const NUMBERS: usize = 2;

/// The table, lines cut to so many characters; of more sockets than fit into so many lines the rest is counted.
pub(super) fn table(waiting: &[Waiting], width: usize, height: usize) -> String {
    let mut text = String::new();
    let shown = if waiting.len() + 2 > height { height.saturating_sub(3) } else { waiting.len() };
    if !waiting.is_empty() {
        let rows: Vec<[String; 7]> = waiting[..shown].iter().map(row).collect();
        let heads = HEADS.map(str::to_owned);
        let widths: Vec<usize> = (0..HEADS.len())
            .map(|column| rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        for row in [&heads].into_iter().chain(&rows) {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                column if column < NUMBERS => format!("{cell:>width$}"),
                _ => format!("{cell:width$}"),
            });
            push(&mut text, &cells.collect::<Vec<_>>().join("  "), width);
        }
    }
    if shown < waiting.len() {
        push(&mut text, &format!("and {} more", waiting.len() - shown), width);
    }
    push(&mut text, &sum(waiting), width);
    text
}

fn push(text: &mut String, line: &str, width: usize) {
    text.extend(line.trim_end().chars().take(width));
    text.push('\n');
}

fn row(waiting: &Waiting) -> [String; 7] {
    let process = waiting.process.as_ref().map_or_else(
        || "unknown".to_owned(),
        |process| format!("{}[{}] fd {}", printable(&process.comm), process.pid, process.fd),
    );
    let peer = match (&waiting.network.peer, &waiting.listener) {
        (Some(peer), _) => {
            let mut text = peer.name.as_deref().map_or_else(String::new, |name| format!("{} ", printable(name)));
            let _ = write!(text, "{}", peer.socket());
            if let Some(process) = &waiting.counterpart {
                let _ = write!(text, " {}[{}]", printable(&process.comm), process.pid);
            }
            text
        }
        (None, Some(listener)) => format!("{} not accepted", listener.unaccepted),
        (None, None) => String::new(),
    };
    let resets = match waiting.resets_if_closed {
        1 => "RST".to_owned(),
        resets => format!("{resets} RSTs"),
    };
    let shared = match waiting.descriptors {
        0 | 1 => String::new(),
        descriptors => format!(", with the last of {descriptors} descriptors"),
    };
    [
        waiting.tcp.last_received_ms.map_or_else(|| "?".to_owned(), age),
        waiting.tcp.unread_bytes.to_string(),
        process,
        peer,
        waiting.network.local.socket().to_string(),
        waiting.tcp.state.to_owned(),
        format!("{resets}, {}{shared}", waiting.severity),
    ]
}

/// `340ms`, `12.3s`, `4m 10s`, `3h 12m`, `2d 4h`.
fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{seconds}.{}s", milliseconds % 1_000 / 100),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn sum(waiting: &[Waiting]) -> String {
    let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    if waiting.is_empty() {
        return "no socket holds unread data".to_owned();
    }
    let bytes = waiting.iter().map(|one| one.tcp.unread_bytes).sum();
    let resets = waiting.iter().map(|one| u64::from(one.resets_if_closed)).sum();
    let sockets = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
    format!(
        "{} {} {}; closed now, {} send {}",
        count(sockets, "socket", "sockets"),
        if sockets == 1 { "holds" } else { "hold" },
        count(bytes, "unread byte", "unread bytes"),
        if sockets == 1 { "it would" } else { "they would" },
        count(resets, "RST", "RSTs"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{AddressType, Endpoint, Host, Listener},
        severity::Severity,
        snapshot::{
            holders::Holder,
            waiting::{Connection, Held},
        },
    };

    fn waiting(idle: u64, bytes: u64, comm: &str) -> Waiting {
        let end = |address: &str, port| Endpoint::of(address.parse().unwrap(), port);
        Waiting {
            schema: "",
            time: crate::clock::Time::of(0),
            host: Host { name: "".into() },
            severity: Severity::Harmful,
            process: Some(Holder { pid: 4242, comm: comm.to_owned(), fd: 7 }),
            descriptors: 1,
            counterpart: None,
            network: Connection {
                kind: AddressType::Ipv4,
                transport: "tcp",
                local: end("10.0.0.1", 80),
                peer: Some(end("fd00::2", 4711)),
                namespace: 1,
                host_namespace: None,
            },
            tcp: Held {
                state: "ESTABLISHED",
                unread_bytes: bytes,
                unacked_bytes: None,
                fin_received: None,
                last_received_ms: Some(idle),
            },
            listener: None,
            resets_if_closed: 1,
        }
    }

    #[test]
    fn a_socket_is_a_line() {
        let mut shared = waiting(340, 5, "a\nb");
        shared.descriptors = 3;
        shared.counterpart = Some(Holder { pid: 9, comm: "client".to_owned(), fd: 1 });
        let mut listener = waiting(7_000, 0, "server");
        listener.network.peer = None;
        listener.listener = Some(Listener { unaccepted: 2 });
        listener.resets_if_closed = 2;
        listener.tcp.state = "LISTEN";
        let rows = [waiting(200_000, 1_048_576, "api"), listener, shared];
        let expected = "\
   IDLE   UNREAD  PROCESS            PEER                            LOCAL        STATE        IF CLOSED
 3m 20s  1048576  api[4242] fd 7     [fd00::2]:4711                  10.0.0.1:80  ESTABLISHED  RST, harmful
   7.0s        0  server[4242] fd 7  2 not accepted                  10.0.0.1:80  LISTEN       2 RSTs, harmful
  340ms        5  a\u{fffd}b[4242] fd 7     [fd00::2]:4711 client[9]        10.0.0.1:80  ESTABLISHED  RST, harmful, with the last of 3 descriptors
3 sockets hold 1048581 unread bytes; closed now, they would send 4 RSTs
";
        let squeezed = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(squeezed(&table(&rows, usize::MAX, usize::MAX)), squeezed(expected));
        assert_eq!(table(&[], 80, 24), "no socket holds unread data\n");
    }

    #[test]
    fn what_does_not_fit_is_cut_and_counted() {
        let rows: Vec<_> = (0..30).map(|number| waiting(1_000 * number, 1, "api")).collect();
        let text = table(&rows, 40, 10);
        assert_eq!(text.lines().count(), 10);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.contains("\nand 23 more\n30 sockets hold 30 unread bytes"), "{text}");
    }

    #[test]
    fn ages_are_short() {
        for (milliseconds, text) in
            [(999, "999ms"), (1_500, "1.5s"), (250_000, "4m 10s"), (11_520_000, "3h 12m"), (187_200_000, "2d 4h")]
        {
            assert_eq!(age(milliseconds), text);
        }
    }
}
