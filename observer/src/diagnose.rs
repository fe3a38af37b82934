//! Diagnostics for people, on standard error. A standard error that cannot be written must not end a run, as
//! `eprintln!` would.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

/// Writes one line.
pub fn diagnose(text: impl Display) {
    let _ = writeln!(io::stderr(), "conn-observer: {text}");
}
