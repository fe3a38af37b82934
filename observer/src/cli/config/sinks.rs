//! `[[sink.file]]` and its like.

use serde::Deserialize;

use super::{file::Fault, keys::nearest};
use crate::options::Sinks;

/// What of the file is read here.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    sink: Sinks,
}

/// The sinks of a file.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn read(source: &str) -> Result<Sinks, Fault> {
    let part: Result<Part, _> = toml::from_str(source);
    part.map(|part| part.sink).map_err(|error| Fault::at(source, error.span(), explain(error.message())))
}

/// serde's words, with the name that was probably meant.
fn explain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.to_owned() };
    let mut names = rest.split('`').skip(1).step_by(2);
    let wrong = names.next().unwrap_or_default();
    let names: Vec<&str> = names.collect();
    match nearest(wrong, names.iter().copied()) {
        Some(name) => format!("unknown key {wrong}; did you mean {name}?"),
        None => format!("unknown key {wrong}; there are {}", names.join(", ")),
    }
}
