//! From a file's text to words of a command line. Everything wrong is told, with its line and column.

use std::{ffi::OsString, fmt, ops::Range};

use clap::{ArgMatches, Command, parser::ValueSource};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    super::sentence,
    keys::{self, Key, Kind, nearest},
    sinks,
};
use crate::options::Sinks;

/// A configuration file, understood.
pub(super) struct File {
    /// Names of options with their values as words; a flag has none.
    options: Vec<(String, Vec<OsString>)>,
    pub(super) sinks: Sinks,
}

/// Something wrong in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    line: usize,
    column: usize,
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.line, self.column, self.text)
    }
}

impl Fault {
    pub(super) fn at(source: &str, span: Option<Range<usize>>, text: impl Into<String>) -> Self {
        let before = source.get(..span.map_or(0, |span| span.start)).unwrap_or(source);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, text: text.into() }
    }
}

/// The table of sinks beside those of the options.
const SINKS: &str = "sink";

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong.
    pub(super) fn parse(source: &str, command: &Command) -> Result<Self, Vec<Fault>> {
        let document =
            DeTable::parse(source).map_err(|error| vec![Fault::at(source, error.span(), error.message())])?;
        let keys = keys::all(command);
        let mut reader = Reader { source, command, keys, options: Vec::new(), faults: Vec::new() };
        for (name, value) in document.get_ref() {
            reader.table(name, value);
        }
        let sinks = sinks::read(source);
        reader.faults.extend(sinks.as_ref().err().map(|fault| Fault { text: fault.text.clone(), ..*fault }));
        match sinks {
            Ok(sinks) if reader.faults.is_empty() => Ok(Self { options: reader.options, sinks }),
            _ => {
                reader.faults.sort_by_key(|fault| (fault.line, fault.column));
                Err(reader.faults)
            }
        }
    }

    /// Its options as words, but for those that the command line gives itself.
    pub(super) fn words(&self, given: &ArgMatches) -> Vec<OsString> {
        let on_command_line =
            |name: &str| given.value_source(&name.replace('-', "_")) == Some(ValueSource::CommandLine);
        let mut words = Vec::new();
        for (name, values) in self.options.iter().filter(|(name, _)| !on_command_line(name)) {
            words.extend(option_words(name, values));
        }
        words
    }
}

/// An option as words.
fn option_words(name: &str, values: &[OsString]) -> Vec<OsString> {
    if values.is_empty() {
        return vec![format!("--{name}").into()];
    }
    let word = |value: &OsString| {
        let mut word = OsString::from(format!("--{name}="));
        word.push(value);
        word
    };
    values.iter().map(word).collect()
}

struct Reader<'a> {
    source: &'a str,
    command: &'a Command,
    keys: Vec<Key<'a>>,
    options: Vec<(String, Vec<OsString>)>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, span: Range<usize>, text: impl Into<String>) {
        self.faults.push(Fault::at(self.source, Some(span), text));
    }

    /// A table of options; that of the sinks is read elsewhere.
    fn table(&mut self, name: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) {
        let table = name.get_ref().as_ref();
        if table == SINKS {
            return;
        }
        if self.keys.iter().all(|key| key.table != table) {
            return self.unknown_table(name);
        }
        match value.get_ref() {
            DeValue::Table(inner) => {
                for (name, value) in inner {
                    self.option(table, name, value);
                }
            }
            other => self.fault(value.span(), format!("{table} is a table, [{table}], not {}", article(other))),
        }
    }

    fn unknown_table(&mut self, name: &Spanned<impl AsRef<str>>) {
        let wrong = name.get_ref().as_ref();
        let text = if let Some(key) = self.keys.iter().find(|key| key.name == wrong) {
            format!("{wrong} belongs into the table [{}]", key.table)
        } else {
            let mut tables: Vec<&str> = self.keys.iter().map(|key| key.table.as_str()).collect();
            tables.push(SINKS);
            tables.dedup();
            match nearest(wrong, tables.iter().copied()) {
                Some(table) => format!("unknown table {wrong}; did you mean {table}?"),
                None => format!("unknown table {wrong}; there are {}", tables.join(", ")),
            }
        };
        self.fault(name.span(), text);
    }

    fn option(&mut self, table: &str, name: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) {
        let wanted = name.get_ref().as_ref();
        let Some(key) = self.keys.iter().find(|key| key.table == table && key.name == wanted) else {
            return self.unknown_key(table, name);
        };
        let (kind, name) = (key.kind, key.name.to_owned());
        match words(kind, value.get_ref()) {
            None => {
                let found = article(value.get_ref());
                self.fault(value.span(), format!("{name}: expected {}, found {found}", kind.expected()));
            }
            Some(None) => {}
            Some(Some(values)) => match self.check(&name, &values) {
                Ok(()) => self.options.push((name, values)),
                Err(error) => self.fault(value.span(), error),
            },
        }
    }

    fn unknown_key(&mut self, table: &str, name: &Spanned<impl AsRef<str>>) {
        let wrong = name.get_ref().as_ref();
        let text = if let Some(key) = self.keys.iter().find(|key| key.name == wrong) {
            format!("{wrong} belongs into the table [{}]", key.table)
        } else if let Some(name) = nearest(wrong, self.keys.iter().map(|key| key.name)) {
            format!("unknown key {wrong}; did you mean {name}?")
        } else {
            let names: Vec<&str> = self.keys.iter().filter(|key| key.table == table).map(|key| key.name).collect();
            format!("unknown key {wrong}; [{table}] has {}", names.join(", "))
        };
        self.fault(name.span(), text);
    }

    /// Whether the option takes these values.
    fn check(&self, name: &str, values: &[OsString]) -> Result<(), String> {
        let words = [OsString::from("conn-observer")].into_iter().chain(option_words(name, values));
        match self.command.clone().try_get_matches_from(words) {
            Ok(_) => Ok(()),
            Err(error) => {
                let told = sentence(&error.render().to_string());
                Err(told.trim_end_matches(" (see --help)").to_owned())
            }
        }
    }
}

/// A value as words: None when it is of another type, an inner None when it asks for nothing.
fn words(kind: Kind, value: &DeValue<'_>) -> Option<Option<Vec<OsString>>> {
    let scalar = |integer: bool, value: &DeValue<'_>| match value {
        DeValue::Integer(number) if integer && number.radix() == 10 => Some(number.as_str().replace('_', "").into()),
        DeValue::Integer(number) if integer => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string().into())
        }
        DeValue::String(text) if !integer => Some(OsString::from(text.as_ref())),
        _ => None,
    };
    match (kind, value) {
        (Kind::Flag, DeValue::Boolean(on)) => Some(on.then(Vec::new)),
        (Kind::Integer | Kind::Text, value) => scalar(kind == Kind::Integer, value).map(|word| Some(vec![word])),
        (Kind::Integers | Kind::Texts, DeValue::Array(values)) => {
            let words = values.iter().map(|one| scalar(kind == Kind::Integers, one.get_ref()));
            let words = words.collect::<Option<Vec<OsString>>>()?;
            // No word would be a flag; an empty array asks for nothing.
            Some(Some(words).filter(|words| !words.is_empty()))
        }
        _ => None,
    }
}

fn article(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(_) | DeValue::Array(_) => format!("an {}", value.type_str()),
        _ => format!("a {}", value.type_str()),
    }
}
