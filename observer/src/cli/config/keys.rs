//! Which options of the command line are keys of the file, in which table, and of which type.

use std::any::TypeId;

use clap::{Arg, ArgAction, Command};

/// Options that a file cannot give: what is wanted once, and what names the file itself.
const LEFT_OUT: [&str; 4] = ["help", "version", "config", "sink"];

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Integer,
    Text,
    Integers,
    Texts,
}

impl Kind {
    /// As a person would say it.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Integer => "an integer",
            Self::Text => "a string in quotes",
            Self::Integers => "an array of integers",
            Self::Texts => "an array of strings",
        }
    }
}

/// A key of the file.
pub(super) struct Key<'a> {
    pub(super) table: String,
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) arg: &'a Arg,
}

/// All keys, in the order of `--help`.
pub(super) fn all(command: &Command) -> Vec<Key<'_>> {
    command.get_arguments().filter_map(key).collect()
}

fn key(arg: &Arg) -> Option<Key<'_>> {
    let name = arg.get_long().filter(|name| !LEFT_OUT.contains(name))?;
    let table = arg.get_help_heading()?.to_lowercase();
    let parser = arg.get_value_parser();
    let integers = [TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>()];
    let integer = integers.into_iter().any(|id| parser.type_id() == id);
    let kind = match (arg.get_action(), integer) {
        (ArgAction::SetTrue, _) => Kind::Flag,
        (ArgAction::Append, true) => Kind::Integers,
        (ArgAction::Append, false) => Kind::Texts,
        (_, true) => Kind::Integer,
        (_, false) => Kind::Text,
    };
    Some(Key { table, name, kind, arg })
}

/// The name that is most like a wrong one, if any is.
pub(super) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A third of a name may be wrong; two letters that changed places are one mistake.
    const ALIKE: f64 = 0.6;
    let rated = names.map(|name| (strsim::normalized_damerau_levenshtein(wrong, name), name));
    rated.filter(|(rate, _)| *rate >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name)
}
