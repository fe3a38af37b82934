//! `--sink KIND,key=value,…`: the same tables as in the configuration file, in one word.

use anyhow::{Context as _, Result, anyhow};
use toml::{Table, Value};

use crate::options::Sinks;

/// Adds the sinks of the command line to others.
///
/// # Errors
/// Names the word, what is wrong with it, and what was expected.
pub(super) fn add(words: &[String], sinks: &mut Sinks) -> Result<()> {
    for word in words {
        let one = parse(word).with_context(|| format!("--sink {word}"))?;
        sinks.file.extend(one.file);
        sinks.journald.extend(one.journald);
        sinks.syslog.extend(one.syslog);
        sinks.otlp.extend(one.otlp);
        sinks.prometheus.extend(one.prometheus);
        sinks.record.extend(one.record);
    }
    Ok(())
}

fn parse(word: &str) -> Result<Sinks> {
    let mut parts = word.split(',');
    let kind = parts.next().unwrap_or_default();
    let mut settings = Table::new();
    for part in parts {
        let (key, value) = part.split_once('=').ok_or_else(|| anyhow!("{part}: expected key=value"))?;
        // `headers.authorization=…` is a key of an inner table.
        match key.split_once('.') {
            None => settings.insert(key.to_owned(), literal(value)),
            Some((outer, inner)) => match settings.entry(outer).or_insert_with(|| Table::new().into()) {
                Value::Table(table) => table.insert(inner.to_owned(), value.into()),
                _ => return Err(anyhow!("{outer} is given as a value and as a table")),
            },
        };
    }
    let all = Table::from_iter([(kind.to_owned(), Value::Array(vec![settings.into()]))]);
    all.try_into().map_err(|error: toml::de::Error| anyhow!("{}", error.message()))
}

/// Numbers and booleans as such, everything else is text.
fn literal(value: &str) -> Value {
    match (value.parse::<i64>(), value.parse::<bool>()) {
        (Ok(number), _) => number.into(),
        (_, Ok(flag)) => flag.into(),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Size;

    fn sinks(words: &[&str]) -> Result<Sinks> {
        let mut sinks = Sinks::default();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        add(&words, &mut sinks).map(|()| sinks)
    }

    #[test]
    fn a_word_is_a_table() {
        let sinks = sinks(&[
            "file,path=/tmp/a.ndjson,max-size=5MiB,keep=3",
            "file,path=/tmp/b.ndjson",
            "otlp,endpoint=http://x:1,headers.authorization=Bearer a=b",
            "journald",
        ]);
        let sinks = sinks.unwrap();
        assert_eq!(sinks.file.len(), 2);
        assert_eq!((sinks.file[0].max_size, sinks.file[0].keep), (Size(5 << 20), 3));
        assert_eq!(sinks.otlp[0].headers["authorization"], "Bearer a=b");
        assert_eq!(sinks.journald.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let told = |word: &str| format!("{:#}", sinks(&[word]).unwrap_err());
        assert!(told("fil,path=/a").contains("unknown field `fil`, expected one of `file`"), "{}", told("fil,path=/a"));
        assert!(told("file").contains("missing field `path`"), "{}", told("file"));
        assert!(told("file,path=/a,keep=x").contains("expected u32"), "{}", told("file,path=/a,keep=x"));
        assert!(told("file,path=/a,keep").contains("keep: expected key=value"));
        assert!(told("file,path=/a,max-size=9XB").contains("65536, 64KiB"), "{}", told("file,path=/a,max-size=9XB"));
    }
}
