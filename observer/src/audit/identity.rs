//! Which of our totals make up which counter of the kernel.

use observer_ebpf::{Cause, Total};

use super::counters::{COUNTERS, Counter, Counters};
use crate::{event::Relation, kernel::Tally};

/// What the counters of a namespace should have risen by since the hooks were attached, by our totals.
pub(crate) fn expected(tally: &Tally, netns: u32) -> Counters {
    let of = |cause: u8| {
        let row = tally.totals.iter().find(|entry| entry.netns == netns && entry.cause == cause);
        row.map_or(Total::default(), |entry| entry.total)
    };
    let linger2 = of(Cause::LINGER2_TIMEOUT);
    let mut values = [0; COUNTERS];
    for (value, counter) in values.iter_mut().zip(Counter::ALL) {
        *value = match counter {
            Counter::AbortOnClose => of(Cause::CLOSE_UNREAD).resets + of(Cause::CLOSE_PHANTOM).resets,
            // A linger time of zero counts where nothing had to be reset, too. A FIN that is acknowledged with
            // TCP_LINGER2 below zero counts here, a close in FIN_WAIT2 as TCPAbortOnLinger.
            Counter::AbortOnData => of(Cause::LINGER_ZERO).acts + of(Cause::DATA_AFTER_CLOSE).acts + linger2.answers,
            Counter::AbortOnLinger => linger2.acts.saturating_sub(linger2.answers),
            Counter::AbortOnMemory => of(Cause::OUT_OF_MEMORY).acts,
            Counter::AbortOnTimeout => of(Cause::KEEPALIVE_TIMEOUT).acts,
            Counter::AbortFailed => 0,
            Counter::OutRsts => {
                let rows = tally.totals.iter().filter(|entry| entry.netns == netns);
                rows.map(|entry| entry.total.resets).sum()
            }
        };
    }
    Counters(values)
}

/// How our totals and a counter are related, on a kernel that tells every RST (6.10 and later) or not.
pub(crate) fn relation(counter: Counter, every_reset: bool) -> Relation {
    match counter {
        // The kernel counts connections that time out, most of them without a RST.
        Counter::AbortOnTimeout | Counter::AbortFailed => Relation::AtMost,
        Counter::OutRsts if !every_reset => Relation::AtMost,
        _ => Relation::Equal,
    }
}

/// Whether the kernel raises this counter for a RST even when it cannot be made, of which no hook tells. How many there
/// were is TCPAbortFailed.
pub(crate) fn counts_failures(counter: Counter) -> bool {
    matches!(counter, Counter::AbortOnClose | Counter::AbortOnLinger | Counter::AbortOnMemory | Counter::OutRsts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::NamespaceTotal;

    #[test]
    fn totals_of_one_namespace_add_up_by_counter() {
        let row = |netns, cause, acts, resets, answers| NamespaceTotal {
            netns,
            cause,
            total: Total { acts, resets, answers, ..Total::default() },
        };
        let totals = vec![
            row(1, Cause::CLOSE_UNREAD, 1_000, 1_000, 0),
            row(2, Cause::CLOSE_UNREAD, 10, 7, 0),
            row(2, Cause::CLOSE_PHANTOM, 2, 2, 0),
            row(2, Cause::LINGER_ZERO, 5, 4, 0),
            row(2, Cause::DATA_AFTER_CLOSE, 3, 3, 3),
            row(2, Cause::LINGER2_TIMEOUT, 6, 6, 2),
            row(2, Cause::OUT_OF_MEMORY, 1, 1, 0),
            row(2, Cause::KEEPALIVE_TIMEOUT, 8, 8, 0),
            row(2, Cause::NO_SOCKET, 100, 100, 100),
            row(2, Cause::CLEAN, 500, 0, 0),
        ];
        let tally = Tally { totals, ..Tally::default() };
        assert_eq!(expected(&tally, 2), Counters([9, 10, 4, 1, 8, 0, 131]));
        assert_eq!(expected(&tally, 3), Counters::default());
    }
}
