//! What may stand as a host name in an event: letters, digits, hyphens, underscores and dots. Names come from strangers
//! and go to terminals, logs and databases.

/// Longest name in its usual notation (RFC 1035 §2.3.4 without length bytes).
const MOST_BYTES: usize = 253;

/// The name in lower case, without the dot at its end; None for what is no host name.
pub(super) fn hostname(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let fits = !text.is_empty() && text.len() <= MOST_BYTES;
    (fits && text.split('.').all(|label| is_label(label.as_bytes()))).then(|| text.to_ascii_lowercase())
}

/// Whether bytes may stand between two dots.
pub(super) fn is_label(bytes: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !bytes.is_empty() && bytes.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_in_lower_case_and_without_the_last_dot() {
        assert_eq!(hostname("API.Example.").as_deref(), Some("api.example"));
        assert_eq!(hostname("_kube-dns_1").as_deref(), Some("_kube-dns_1"));
        assert_eq!(hostname("db").as_deref(), Some("db"));
    }

    #[test]
    fn nothing_else_is_a_name() {
        for bad in ["", ".", "..", "a..b", ".a", "a b", "a\u{1b}[31m", "ä.example", "a\0b", "a/b", "a\"b", "*.example"]
        {
            assert_eq!(hostname(bad), None, "{bad:?}");
        }
        assert_eq!(hostname(&"a.".repeat(128)), None, "no name is longer than 253 bytes");
        assert!(hostname(&format!("{}a", "a.".repeat(126))).is_some());
    }
}
