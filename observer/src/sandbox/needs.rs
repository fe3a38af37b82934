//! What a run goes on needing, of all that is given up otherwise.

use std::path::{Path, PathBuf};

use crate::options::{Destination, Options, Sinks, Stacks, SyslogAddress};

/// Port of name servers: answers that are too long for UDP come over TCP.
const DNS_PORT: u16 = 53;

/// What stays allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Folders in which outputs make, write and remove files.
    pub write: Vec<PathBuf>,
    /// Files and folders that outputs read, beside the system's own configuration and libraries.
    pub read: Vec<PathBuf>,
    /// TCP ports that outputs connect to.
    pub connect: Vec<u16>,
    /// TCP ports that outputs listen at, and may have to bind once more.
    pub bind: Vec<u16>,
    /// Unix sockets: the journal, syslog, and whoever serves the resolver. The one to systemd is open already.
    pub unix: bool,
    /// This host's resolver is asked for names.
    pub resolver: bool,
    /// Files of processes are read for the functions of their stacks.
    pub symbols: bool,
    /// The kernel's own symbols are read.
    pub kernel_symbols: bool,
    /// Process id of COMMAND, to which signals are passed on.
    pub command: Option<u32>,
}

impl Needs {
    /// Of a run with these options, and this COMMAND.
    #[must_use]
    pub fn of(options: &Options, command: Option<u32>) -> Self {
        let base = Self {
            symbols: matches!(options.stacks, Stacks::User | Stacks::Both),
            kernel_symbols: matches!(options.stacks, Stacks::Kernel | Stacks::Both),
            command,
            resolver: options.ptr,
            ..Self::default()
        };
        let mut needs = base.with(&options.sinks);
        // A pipe or a terminal is not made anew, so its folder does not matter.
        if let Destination::File(path) = &options.output
            && path.is_file()
        {
            needs.write.extend(folder_of(path));
        }
        needs
    }

    /// The same run with these sinks.
    pub(super) fn with(&self, sinks: &Sinks) -> Self {
        let mut needs =
            Self { write: Vec::new(), read: Vec::new(), connect: Vec::new(), bind: Vec::new(), ..self.clone() };
        needs.write.extend(sinks.file.iter().filter_map(|file| folder_of(&file.path)));
        needs.write.extend(sinks.record.iter().filter_map(|record| folder_of(&record.path)));
        needs.unix |= !sinks.journald.is_empty();
        for syslog in &sinks.syslog {
            match &syslog.address {
                SyslogAddress::Tcp(_, port) => needs.reach(Some(*port)),
                SyslogAddress::Unix(_) => needs.unix = true,
            }
        }
        for otlp in &sinks.otlp {
            needs.reach(port_of_url(&otlp.endpoint));
            needs.read.extend([&otlp.ca, &otlp.cert, &otlp.key].into_iter().flatten().cloned());
        }
        needs.bind.extend(sinks.prometheus.iter().map(|metrics| metrics.listen.port()));
        if needs.resolver {
            // nscd, systemd-resolved and sssd are asked over unix sockets.
            needs.unix = true;
            needs.connect.push(DNS_PORT);
        }
        needs
    }

    /// A receiver, which may be given by name.
    fn reach(&mut self, port: Option<u16>) {
        self.connect.extend(port);
        self.resolver = true;
    }

    /// Whether anything is said over IP.
    #[must_use]
    pub fn network(&self) -> bool {
        self.resolver || !self.connect.is_empty() || !self.bind.is_empty()
    }
}

/// `host:4317`, `[::1]:4317`
fn port_of(authority: &str) -> Option<u16> {
    authority.rsplit_once(':')?.1.parse().ok()
}

/// `https://host:4317/path`; without a port that of the scheme.
fn port_of_url(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    port_of(authority).or(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })
}

fn folder_of(file: &Path) -> Option<PathBuf> {
    std::path::absolute(file).ok()?.parent().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sinks(text: &str) -> Sinks {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_run_without_sinks_has_no_way_out() {
        let needs = Needs::default().with(&Sinks::default());
        assert_eq!(needs, Needs::default());
        assert!(!needs.network() && !needs.unix);
    }

    #[test]
    fn each_sink_opens_its_own_way() {
        let needs = |text| Needs::default().with(&sinks(text));
        let file = needs("[[file]]\npath = '/var/log/conn-observer/events.ndjson'\n");
        assert_eq!(file, Needs { write: vec!["/var/log/conn-observer".into()], ..Needs::default() });
        assert!(needs("[[journald]]\n").unix && !needs("[[journald]]\n").network());
        assert!(needs("[[syslog]]\naddress = 'unix:/dev/log'\n").unix);
        assert_eq!(needs("[[syslog]]\naddress = 'tcp:[::1]:6514'\n").connect, [6_514, DNS_PORT]);
        let otlp = needs("[[otlp]]\nendpoint = 'https://collector/v1/logs'\nca = '/srv/ca.pem'\n");
        assert_eq!((otlp.connect, otlp.read), (vec![443, DNS_PORT], vec![PathBuf::from("/srv/ca.pem")]));
        let metrics = needs("[[prometheus]]\nlisten = '[::]:9100'\n");
        assert_eq!((metrics.bind.clone(), metrics.network(), metrics.unix), (vec![9_100], true, false));
    }

    #[test]
    fn other_sinks_need_other_things() {
        let before = Needs { command: Some(7), ..Needs::default() }.with(&sinks("[[file]]\npath = '/a/b'\n"));
        let after = before.with(&sinks("[[file]]\npath = '/c/d'\n"));
        assert_eq!((after.write, after.command), (vec![PathBuf::from("/c")], Some(7)));
    }
}
