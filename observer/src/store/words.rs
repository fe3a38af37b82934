//! Values of a closed set as text, as events spell them.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// How events spell a value.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        // Not what this is for; what is stored can be read all the same.
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// The same where there may be none.
pub(super) fn words<T: Serialize>(value: Option<&T>) -> Option<String> {
    value.map(word)
}

/// The value that is spelt so; None for one that this version does not know.
pub(super) fn value<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}
