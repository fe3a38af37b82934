//! What the two ends of one RST have in common.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use crate::text::as_text;

/// A number for a RST; as text 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResetId(pub u64);

impl ResetId {
    /// Digits of its text.
    pub const DIGITS: usize = 16;
}

impl Display for ResetId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for ResetId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == Self::DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| format!("cannot read the id {text:?}: expected {} digits", Self::DIGITS))
    }
}

as_text!(ResetId, { "type": "string", "pattern": "^[0-9a-f]{16}$" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_digits_and_back() {
        let id = ResetId(0xbeef);
        assert_eq!(id.to_string(), "000000000000beef");
        assert_eq!("000000000000beef".parse(), Ok(id));
        assert_eq!(serde_json::to_value(id).unwrap(), "000000000000beef");
        assert_eq!(serde_json::from_value::<ResetId>("000000000000beef".into()).unwrap(), id);
        for bad in ["", "beef", "+00000000000beef", "000000000000beeg", "0000000000000beef"] {
            assert!(bad.parse::<ResetId>().is_err(), "{bad}");
        }
    }
}
