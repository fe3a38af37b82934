//! Reset reasons of the running kernel: names by number, and the causes that each one fits.

use std::{collections::BTreeMap, sync::Arc};

use observer_ebpf::{Cause, REASON_SLOTS};

use super::btf::KernelTypes;

const PREFIX: &str = "SK_RST_REASON_";

/// Names of `enum sk_rst_reason` without their common prefix, by number.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    names: BTreeMap<u32, Arc<str>>,
}

impl Reasons {
    /// Reads the enum; empty on kernels before 6.10.
    pub(crate) fn of(types: &KernelTypes) -> Self {
        let enumerators = types.enumerators("sk_rst_reason");
        let name = |name: String| name.strip_prefix(PREFIX).unwrap_or(&name).into();
        Self { names: enumerators.into_iter().map(|(full, value)| (value, name(full))).collect() }
    }

    /// The kernel's name of a reason, or its number where the enum has none.
    #[must_use]
    pub fn name(&self, reason: u32) -> Arc<str> {
        self.names.get(&reason).cloned().unwrap_or_else(|| reason.to_string().into())
    }

    /// For the programs: the mask of causes that fit each reason; 0 where it says nothing.
    pub(crate) fn causes(&self) -> [u32; REASON_SLOTS] {
        let mut table = [0; REASON_SLOTS];
        for (value, name) in &self.names {
            if let Some(slot) = usize::try_from(*value).ok().and_then(|value| table.get_mut(value)) {
                *slot = causes_of(name);
            }
        }
        table
    }
}

/// Causes that fit a reason (`include/net/rstreason.h` and its callers).
fn causes_of(reason: &str) -> u32 {
    let causes: &[u8] = match reason {
        "NO_SOCKET" => &[Cause::NO_SOCKET],
        "TCP_ABORT_ON_CLOSE" => &[Cause::CLOSE_UNREAD, Cause::CLOSE_PHANTOM, Cause::MPTCP],
        "TCP_ABORT_ON_LINGER" => &[Cause::LINGER2_TIMEOUT],
        "TCP_ABORT_ON_MEMORY" => &[Cause::OUT_OF_MEMORY],
        // Also for a FIN that is acknowledged with TCP_LINGER2 below zero.
        "TCP_ABORT_ON_DATA" => &[Cause::DATA_AFTER_CLOSE, Cause::LINGER2_TIMEOUT],
        "TCP_TIMEWAIT_SOCKET" => &[Cause::DATA_AFTER_TIMEWAIT],
        "TCP_KEEPALIVE_TIMEOUT" => &[Cause::KEEPALIVE_TIMEOUT],
        "TCP_STATE" => &[
            Cause::LINGER_ZERO,
            Cause::DISCONNECT,
            Cause::LISTENER_CLOSE,
            Cause::ADMIN_KILL,
            Cause::LINGER2_TIMEOUT, // an orphan whose FIN_WAIT2 has lasted long enough
            Cause::MPTCP,           // fast closes before their own reason
        ],
        "TCP_DISCONNECT_WITH_DATA" => &[Cause::DISCONNECT, Cause::LINGER_ZERO],
        "INVALID_SYN"
        | "TCP_INVALID_ACK_SEQUENCE"
        | "TCP_RFC7323_PAWS"
        | "TCP_TOO_OLD_ACK"
        | "TCP_OLD_ACK"
        | "TCP_ACK_UNSENT_DATA"
        | "TCP_FLAGS" => &[Cause::BAD_SEGMENT],
        _ if reason.starts_with("MPTCP_") => &[Cause::MPTCP],
        _ => &[],
    };
    causes.iter().fold(0, |mask, cause| mask | Cause::bit(*cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_reason_fits_no_cause_and_keeps_its_number() {
        assert_eq!(causes_of("SOMETHING_NEW"), 0);
        assert_eq!(&*Reasons::default().name(77), "77");
    }

    #[test]
    fn abort_on_close_fits_what_finds_unread_data() {
        let mask = causes_of("TCP_ABORT_ON_CLOSE");
        let causes = [Cause::CLOSE_UNREAD, Cause::CLOSE_PHANTOM, Cause::MPTCP];
        assert_eq!(mask, causes.iter().fold(0, |mask, cause| mask | Cause::bit(*cause)));
    }
}
