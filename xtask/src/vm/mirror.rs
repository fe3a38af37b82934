//! The Debian mirror of this machine, as its apt is configured: nothing here names a mirror.

use std::{env, process::Command};

use anyhow::{Result, bail};

use crate::process;

/// Replaces what apt says, for machines that are no Debian.
const OVERRIDE: &str = "CONN_OBSERVER_VM_MIRROR";

/// Base addresses of the two archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    main: String,
    security: String,
}

impl Mirror {
    /// Asks apt, which understands every form of its own configuration.
    pub(crate) fn of_this_machine() -> Result<Self> {
        if let Ok(main) = env::var(OVERRIDE) {
            return Ok(Self { security: format!("{main}-security"), main });
        }
        let uris = process::read_text(Command::new("apt-get").args(["update", "--print-uris"]))?;
        let Some(mirror) = Self::parse(&uris) else {
            bail!("apt of this machine names no Debian mirror; set {OVERRIDE} to one (…/debian)");
        };
        Ok(mirror)
    }

    /// Reads lines such as `'http://host/debian/dists/bookworm/InRelease' name 0 `.
    fn parse(uris: &str) -> Option<Self> {
        let bases = || {
            uris.lines().filter_map(|line| {
                let base = line.trim_start_matches('\'').split_once("/dists/")?.0.trim_end_matches('/');
                Some(base.to_owned())
            })
        };
        let main = bases().find(|base| base.ends_with("/debian"));
        let security = bases().find(|base| base.ends_with("/debian-security"));
        // A full mirror keeps both archives side by side.
        let main = main.or_else(|| security.as_ref().map(|base| base.trim_end_matches("-security").to_owned()))?;
        let security = security.unwrap_or_else(|| format!("{main}-security"));
        Some(Self { main, security })
    }

    /// The archive that holds a suite.
    pub(crate) fn archive(&self, suite: &str) -> &str {
        if suite.ends_with("-security") { &self.security } else { &self.main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(main: &str, security: &str) -> Option<Mirror> {
        Some(Mirror { main: main.to_owned(), security: security.to_owned() })
    }

    #[test]
    fn both_archives_are_found_among_strangers() {
        let uris = "'https://deb.nodesource.com/node_20.x/dists/nodistro/InRelease' x 0 \n\
                    'http://m/debian/dists/bookworm/InRelease' m_debian 0 \n\
                    'http://s//debian-security/dists/bookworm-security/InRelease' s 0 \n";
        let found = Mirror::parse(uris);
        assert_eq!(found, mirror("http://m/debian", "http://s//debian-security"));
        let found = found.unwrap();
        assert_eq!(found.archive("trixie-backports"), "http://m/debian");
        assert_eq!(found.archive("bookworm-security"), "http://s//debian-security");
    }

    #[test]
    fn one_archive_tells_the_other() {
        let main = Mirror::parse("'http://m/debian/dists/bookworm/InRelease' m 0");
        assert_eq!(main, mirror("http://m/debian", "http://m/debian-security"));
        let security = Mirror::parse("'http://m/debian-security/dists/bookworm-security/InRelease' m 0");
        assert_eq!(security, main);
    }

    #[test]
    fn another_distribution_has_none() {
        assert_eq!(Mirror::parse("'http://archive.ubuntu.com/ubuntu/dists/noble/InRelease' u 0"), None);
    }
}
