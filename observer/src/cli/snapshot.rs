//! The arguments of `snapshot`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::{Look, Task, values};
use crate::snapshot::{self, Filter, Format, Request};

/// The arguments of `snapshot`.
#[derive(Debug, Args)]
pub(super) struct SnapshotArguments {
    /// Sockets that this process holds
    #[arg(long, value_name = "PID", help_heading = "Filters")]
    pid: Vec<u32>,
    /// Sockets that processes of this name hold
    #[arg(long, value_name = "NAME", help_heading = "Filters", value_parser = values::comm)]
    comm: Vec<String>,
    /// Sockets with this port at either end
    #[arg(long, value_name = "PORT", help_heading = "Filters")]
    port: Vec<u16>,
    /// Connections to this remote address or network
    #[arg(long, value_name = "CIDR", help_heading = "Filters", value_parser = values::network)]
    peer: Vec<IpNet>,
    /// Sockets with at least so many unread bytes
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true, help_heading = "Filters")]
    min_unread: u64,
    /// This network namespace
    #[arg(long, value_name = "INODE", help_heading = "Filters")]
    netns: Vec<u32>,
    /// A table, or one JSON object a socket
    #[arg(long, value_enum, default_value_t = SnapshotFormat::Table)]
    format: SnapshotFormat,
    /// Look again and again, after this time, until interrupted; 1s when it is not given
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "1s", value_parser = values::duration)]
    watch: Option<Duration>,
    /// Stop after so many looks
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SnapshotFormat {
    /// For people
    Table,
    /// One JSON object a line
    Json,
}

impl SnapshotArguments {
    /// What is to be done.
    ///
    /// # Errors
    /// When there is no time between two looks.
    pub(super) fn task(self) -> Result<Task> {
        if self.watch.is_some_and(|pause| pause.is_zero()) {
            bail!("--watch needs a time above zero");
        }
        let request = Request {
            filter: Filter {
                pids: self.pid,
                comms: self.comm,
                ports: self.port,
                peers: self.peer,
                netns: self.netns,
                min_unread: self.min_unread,
            },
            format: match self.format {
                SnapshotFormat::Table => Format::Table,
                SnapshotFormat::Json => Format::Json,
            },
            watch: self.watch,
            count: self.count,
        };
        Ok(Task::Look(Look(Box::new(move || snapshot::run(&request)))))
    }
}
