//! Values of options: words that stand for something, and parsers that say what they expected.

use std::time::Duration;

use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ipnet::IpNet;

use crate::{
    cause::Cause,
    options::{Format, Sandboxing, Stacks, Time},
    plan::{Plan, PlanChoice},
    processes::Redaction,
    severity::Severity,
};

/// Formats of the events.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum FormatName {
    /// One JSON object a line
    #[default]
    Json,
    /// One sentence a line
    Text,
}

/// Which arguments are masked.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum RedactionName {
    /// Values of options that are named like passwords or tokens, and passwords in addresses
    #[default]
    Secrets,
    /// All but the program's name
    All,
    /// None
    None,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Json => Self::Json,
            FormatName::Text => Self::Text,
        }
    }
}

impl From<RedactionName> for Redaction {
    fn from(name: RedactionName) -> Self {
        match name {
            RedactionName::Secrets => Self::Secrets,
            RedactionName::All => Self::All,
            RedactionName::None => Self::None,
        }
    }
}

/// Which stacks are recorded.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum StackName {
    /// The process's
    #[default]
    User,
    /// The kernel's
    Kernel,
    /// The process's and the kernel's
    Both,
    /// None
    None,
}

impl From<StackName> for Stacks {
    fn from(name: StackName) -> Self {
        match name {
            StackName::User => Self::User,
            StackName::Kernel => Self::Kernel,
            StackName::Both => Self::Both,
            StackName::None => Self::None,
        }
    }
}

/// A cause; completions offer them all.
pub(super) fn cause() -> impl TypedValueParser<Value = Cause> {
    PossibleValuesParser::new(Cause::ALL.iter().map(|cause| cause.name())).try_map(|word| word.parse())
}

/// A severity, likewise.
pub(super) fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::name)).try_map(|word| word.parse())
}

/// A hook plan, likewise.
pub(super) fn hooks() -> impl TypedValueParser<Value = PlanChoice> {
    let plans = Plan::ALL.map(Plan::name);
    PossibleValuesParser::new(["auto"].into_iter().chain(plans)).try_map(|word| word.parse())
}

/// How much is given up after attaching.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum SandboxName {
    /// All but what observing needs, or exit with 2, naming what the kernel refused
    Strict,
    /// As much of it as the kernel allows; `started` tells what it refused
    #[default]
    BestEffort,
    /// Nothing
    Off,
}

impl From<SandboxName> for Sandboxing {
    fn from(name: SandboxName) -> Self {
        match name {
            SandboxName::Strict => Self::Strict,
            SandboxName::BestEffort => Self::BestEffort,
            SandboxName::Off => Self::Off,
        }
    }
}

/// A process's name.
pub(super) fn comm(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a name is expected".to_owned()) } else { Ok(text.to_owned()) }
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse()
        .ok()
        .or_else(address)
        .ok_or_else(|| "expected an address or network as 10.0.0.0/8 or 2001:db8::/32".to_owned())
}

/// `500ms`, `10s`, `2m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse().map(|Time(duration)| duration)
}

/// A duration, or 0 for none.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { duration(text) }
}

/// What the kernel takes for a ring buffer: a power of two of at least a page.
pub(super) fn ring_size(text: &str) -> Result<u32, String> {
    let size = text.parse::<u32>().ok().filter(|size| size.is_power_of_two() && (4_096..=1 << 30).contains(size));
    size.ok_or_else(|| "expected a power of two from 4096 to 1073741824".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_may_be_an_address_or_a_network() {
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("2001:db8::/32").unwrap().prefix_len(), 32);
        assert!(network("10.1.2.3/33").is_err());
    }

    #[test]
    fn ring_sizes_are_powers_of_two() {
        assert_eq!(ring_size("4096"), Ok(4_096));
        for bad in ["4095", "0", "6000", "-1", "8589934592"] {
            assert!(ring_size(bad).is_err(), "{bad}");
        }
    }
}
