//! What this kernel has to offer for a sandbox.

use anyhow::{Result, bail};

/// The version of Landlock that has all that is asked for.
pub const ABI: u32 = 6;

/// What each version up to there has brought.
const BROUGHT: [(u32, &str); 6] = [
    (1, "files"),
    (2, "moving files between folders"),
    (3, "truncating files"),
    (4, "TCP ports"),
    (5, "ioctl() on devices"),
    (6, "signals and abstract unix sockets"),
];

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Version of Landlock; None when it is not built in, or not switched on.
    pub landlock: Option<u32>,
    /// System calls can be filtered.
    pub seccomp: bool,
}

impl Offer {
    /// Asks the running kernel.
    #[must_use]
    pub fn read() -> Self {
        /// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
        const VERSION: libc::c_uint = 1;
        /// `SECCOMP_GET_ACTION_AVAIL` of `linux/seccomp.h`.
        const ACTION_AVAILABLE: libc::c_uint = 2;
        let nothing = std::ptr::null::<u8>();
        // SAFETY: with this flag the kernel takes no structure and returns a number.
        let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
        let action = libc::SECCOMP_RET_ERRNO;
        // SAFETY: the kernel reads one 32-bit number, which is alive.
        let filtering = unsafe { libc::syscall(libc::SYS_seccomp, ACTION_AVAILABLE, 0, &raw const action) };
        Self { landlock: u32::try_from(version).ok().filter(|version| *version > 0), seccomp: filtering == 0 }
    }

    /// Restrictions that this kernel's Landlock does not have.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let version = self.landlock.unwrap_or(0);
        BROUGHT.iter().filter(|(since, _)| *since > version).map(|(_, what)| *what).collect()
    }

    /// # Errors
    /// When the kernel's Landlock has not all that is asked for.
    pub(super) fn check_landlock(&self) -> Result<()> {
        match (self.landlock, self.missing().as_slice()) {
            (_, []) => Ok(()),
            (None, _) => bail!("the kernel has no Landlock, or it is not switched on (lsm=landlock,… at boot)"),
            (Some(version), missing) => {
                bail!("the kernel's Landlock, version {version}, does not restrict {}", missing.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_version_lacks_is_named() {
        let offer = |landlock| Offer { landlock, seccomp: true };
        assert!(offer(Some(6)).check_landlock().is_ok());
        assert!(offer(Some(9)).check_landlock().is_ok());
        let error = offer(Some(3)).check_landlock().unwrap_err().to_string();
        assert!(
            error.contains("version 3")
                && error.ends_with("TCP ports, ioctl() on devices, signals and abstract unix sockets")
        );
        assert!(offer(None).check_landlock().unwrap_err().to_string().contains("no Landlock"));
        assert_eq!(offer(None).missing().len(), BROUGHT.len());
    }
}
