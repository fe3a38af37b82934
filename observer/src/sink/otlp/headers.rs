//! Headers of each request, with what the environment keeps secret. Their values are in no message.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Those that the protocol sets itself.
const RESERVED: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// Headers as configured, each `${NAME}` in a value replaced by that variable.
///
/// # Errors
/// When a name or value can be no header, or a variable is missing.
pub(super) fn of(
    configured: &BTreeMap<String, String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured {
        let header = HeaderName::from_bytes(name.as_bytes())
            .with_context(|| format!("headers.{name}: a header has no such name"))?;
        if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("grpc-") {
            bail!("headers.{name}: the protocol sets this header itself");
        }
        let value = substitute(value, &variable).with_context(|| format!("headers.{name}"))?;
        let mut value = HeaderValue::from_str(&value)
            .with_context(|| format!("headers.{name}: the value has characters that no header may have"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

fn substitute(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { bail!("a ${{ without its }}") };
        let Some(value) = variable(name) else {
            bail!("environment variable {name} is not set: set it for the observer, or write the value itself")
        };
        result.push_str(before);
        // A file of secrets often ends its line.
        result.push_str(value.trim_end_matches(['\r', '\n']));
        rest = behind;
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, value: &str) -> Result<HeaderMap> {
        let environment = |name: &str| match name {
            "TOKEN" => Some("s3cret\n".to_owned()),
            "BAD" => Some("a\nb".to_owned()),
            _ => None,
        };
        of(&BTreeMap::from([(name.to_owned(), value.to_owned())]), environment)
    }

    #[test]
    fn variables_are_put_in() {
        let headers = headers("Authorization", "Bearer ${TOKEN}/${TOKEN}!").unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cret/s3cret!");
        assert!(!format!("{headers:?}").contains("s3cret"), "{headers:?}");
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let told = |name: &str, value: &str| format!("{:#}", headers(name, value).unwrap_err());
        assert!(told("x-key", "a ${NONE}").contains("headers.x-key: environment variable NONE is not set"));
        assert!(told("x-key", "${TOKEN").contains("without its }"));
        assert!(told("x key", "a").contains("headers.x key: a header has no such name"));
        assert!(told("Content-Type", "a").contains("sets this header itself"));
        assert!(told("grpc-timeout", "a").contains("sets this header itself"));
        let bad = told("x-key", "${BAD}");
        assert!(bad.contains("no header may have") && !bad.contains("a\nb"), "{bad}");
    }
}
