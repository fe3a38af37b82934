//! Where a receiver of syslog messages is, and which of its facilities they are for.

use std::{fmt, path::PathBuf, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `unix:/dev/log`, `tcp:host:port`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(try_from = "String", into = "String")]
pub enum SyslogAddress {
    /// A socket of this host, for datagrams or a stream.
    Unix(PathBuf),
    /// A host by name or address, and its port.
    Tcp(String, u16),
}

/// Facilities of syslog(3), but the kernel's own, with their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "syslog(3) has them, and nothing else is to be said")]
pub enum Facility {
    User = 1,
    Mail = 2,
    Daemon = 3,
    Auth = 4,
    Syslog = 5,
    Lpr = 6,
    News = 7,
    Uucp = 8,
    Cron = 9,
    Authpriv = 10,
    Ftp = 11,
    Local0 = 16,
    Local1 = 17,
    Local2 = 18,
    Local3 = 19,
    Local4 = 20,
    Local5 = 21,
    Local6 = 22,
    Local7 = 23,
}

/// The longest path that fits `sun_path` (unix(7)) with its end.
const LONGEST_PATH: usize = 107;

const KIND: &str = "expected unix:/path/of/socket or tcp:host:port";
const PATH: &str = "unix: is followed by an absolute path of at most 107 bytes, as in unix:/dev/log";
const HOST: &str = "tcp: is followed by host and port, as in tcp:logs.example:601 or tcp:[::1]:601";

impl FromStr for SyslogAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.split_once(':') {
            Some(("unix", path)) => {
                let fits = path.starts_with('/') && path.len() <= LONGEST_PATH && !path.contains('\0');
                fits.then(|| Self::Unix(path.into())).ok_or(PATH)
            }
            Some(("tcp", place)) => {
                let (host, port) = place.rsplit_once(':').ok_or(HOST)?;
                let port = port.parse().ok().filter(|port| *port > 0).ok_or(HOST)?;
                let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                // Without brackets nobody knows where an IPv6 address ends.
                let host = inner.or((!host.contains(':')).then_some(host)).filter(|host| !host.is_empty());
                Ok(Self::Tcp(host.ok_or(HOST)?.to_owned(), port))
            }
            _ => Err(KIND),
        }
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(host, port) if host.contains(':') => write!(out, "tcp:[{host}]:{port}"),
            Self::Tcp(host, port) => write!(out, "tcp:{host}:{port}"),
        }
    }
}

impl TryFrom<String> for SyslogAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl From<SyslogAddress> for String {
    fn from(address: SyslogAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["unix:/dev/log", "unix:/run/a:b", "tcp:logs.example:601", "tcp:127.0.0.1:514", "tcp:[::1]:514"] {
            assert_eq!(text.parse::<SyslogAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_can_be_no_address_is_refused() {
        let refused = |text: &str| text.parse::<SyslogAddress>().unwrap_err();
        for text in ["", "/dev/log", "udp:a:1", "unix"] {
            assert_eq!(refused(text), KIND, "{text}");
        }
        for text in ["unix:", "unix:log", &format!("unix:/{}", "x".repeat(107))] {
            assert_eq!(refused(text), PATH, "{text}");
        }
        for text in ["tcp:", "tcp:host", "tcp::601", "tcp:host:0", "tcp:host:70000", "tcp:::1:601", "tcp:host:syslog"] {
            assert_eq!(refused(text), HOST, "{text}");
        }
    }
}
