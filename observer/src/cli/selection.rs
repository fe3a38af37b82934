//! Which recorded events a sub-command looks at: where they are, and which of them are meant.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use ipnet::IpNet;

use super::values;
use crate::{
    cause::Cause,
    clock,
    severity::Severity,
    store::{Field, Selection, Store},
};

/// Where the events are.
#[derive(Debug, Args)]
pub(super) struct SourceArguments {
    /// The store that `--record` writes
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    store: Option<PathBuf>,
    /// Stores, or files of JSON lines, also compressed with zstd or gzip; `-` for standard input
    #[arg(value_name = "FILE")]
    file: Vec<PathBuf>,
}

impl SourceArguments {
    /// The paths, `--store` first.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.store.iter().chain(&self.file).cloned().collect()
    }

    /// The events.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn open(&self) -> Result<Store> {
        crate::source::open(&self.paths())
    }
}

/// Which of them.
#[derive(Debug, Args)]
pub(super) struct SelectionArguments {
    /// From this time on: "2026-11-26 03:12", 03:12, -15min, today; UTC
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = instant, help_heading = "Filters")]
    since: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = instant, help_heading = "Filters")]
    until: Option<i64>,
    /// Events of this type: close, reset_sent, reset_received; also started, loss, audit, churn, reloaded, stopped
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', help_heading = "Filters")]
    kind: Vec<String>,
    /// Findings of these causes, separated by commas
    #[arg(long, value_name = "CAUSE", value_delimiter = ',', help_heading = "Filters", value_parser = values::cause(),
          hide_possible_values = true)]
    cause: Vec<Cause>,
    /// Findings of this severity or worse: benign, suspect or harmful
    #[arg(long, value_name = "LEVEL", default_value_t, hide_default_value = true, help_heading = "Filters", value_parser = values::severity(),
          hide_possible_values = true)]
    severity: Severity,
    /// Processes or threads of this name
    #[arg(long, value_name = "NAME", help_heading = "Filters", value_parser = values::comm)]
    comm: Vec<String>,
    /// This process
    #[arg(long, value_name = "PID", help_heading = "Filters")]
    pid: Vec<u32>,
    /// Processes of this user
    #[arg(long, value_name = "UID", help_heading = "Filters")]
    uid: Vec<u32>,
    /// Connections with this port at either end
    #[arg(long, value_name = "PORT", help_heading = "Filters")]
    port: Vec<u16>,
    /// Connections to this remote address or network
    #[arg(long, value_name = "CIDR", help_heading = "Filters", value_parser = values::network)]
    peer: Vec<IpNet>,
    /// This network namespace
    #[arg(long, value_name = "INODE", help_heading = "Filters")]
    netns: Vec<u32>,
    /// Findings with at least so many unread bytes
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true, help_heading = "Filters")]
    min_unread: u32,
    /// Findings with this value in this field, as `unit=nginx.service`; the fields are those of `query --group-by`
    #[arg(long = "where", value_name = "FIELD=VALUE", help_heading = "Filters", value_parser = condition)]
    condition: Vec<(Field, String)>,
}

/// Every type of events.
const TYPES: [&str; 9] =
    ["close", "reset_sent", "reset_received", "churn", "started", "reloaded", "loss", "audit", "stopped"];

/// Those that are findings.
const FINDINGS: usize = 3;

impl SelectionArguments {
    /// Which events are meant, where no type means all of them.
    ///
    /// # Errors
    /// As [`SelectionArguments::selection`].
    pub(super) fn of_everything(&self) -> Result<Selection> {
        let selection = self.selection()?;
        Ok(Selection { all_types: selection.all_types || selection.types.is_empty(), ..selection })
    }

    /// Which events are meant.
    ///
    /// # Errors
    /// When the times are in the wrong order, or a type is unknown.
    pub(super) fn selection(&self) -> Result<Selection> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            bail!("--since has to be before --until");
        }
        if let Some(unknown) = self.kind.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
            bail!("unknown type {unknown}; known are {}", TYPES.join(", "));
        }
        let mut fields: Vec<(Field, Vec<String>)> = Vec::new();
        for (field, value) in &self.condition {
            match fields.iter_mut().find(|(known, _)| known == field) {
                Some((_, values)) => values.push(value.clone()),
                None => fields.push((*field, vec![value.clone()])),
            }
        }
        Ok(Selection {
            since: self.since,
            until: self.until,
            all_types: self.kind.iter().any(|kind| !TYPES[..FINDINGS].contains(&kind.as_str())),
            types: self.kind.clone(),
            causes: self.cause.clone(),
            severity: self.severity,
            min_unread: self.min_unread,
            comms: self.comm.clone(),
            pids: self.pid.clone(),
            uids: self.uid.clone(),
            ports: self.port.clone(),
            peers: self.peer.clone(),
            netns: self.netns.clone(),
            fields,
        })
    }
}

/// A time, seen from the present.
pub(super) fn instant(text: &str) -> Result<i64, String> {
    clock::instant(text, clock::present())
}

/// A field of findings, by its name.
pub(super) fn field(name: &str) -> Result<Field, String> {
    Field::ALL.into_iter().find(|field| field.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Field::ALL.into_iter().map(Field::name).collect();
        let near = names.iter().copied().max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)));
        let meant = near.filter(|near| strsim::jaro(name, near) > 0.7);
        let meant = meant.map_or_else(String::new, |near| format!("did you mean {near}? "));
        format!("unknown field {name}; {meant}known are {}", names.join(", "))
    })
}

fn condition(text: &str) -> Result<(Field, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected FIELD=VALUE")?;
    Ok((field(name)?, value.to_owned()))
}
