//! What the two ends of one RST have in common.

use std::{
    borrow::Cow,
    fmt::{Display, Formatter},
    str::FromStr,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

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

impl Serialize for ResetId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for ResetId {
    fn schema_name() -> Cow<'static, str> {
        "ResetId".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

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
