//! How bad a finding is: the levels. `judge` has the rules.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing was lost that anybody waits for.
    #[default]
    Benign,
    /// A connection ended abnormally; no application data is known to be lost.
    Suspect,
    /// Application data was lost.
    Harmful,
}

impl Severity {
    /// Every level, the least first.
    pub const ALL: [Self; 3] = [Self::Benign, Self::Suspect, Self::Harmful];

    /// The name in events and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Suspect => "suspect",
            Self::Harmful => "harmful",
        }
    }

    /// Whether every finding is at least this bad.
    #[must_use]
    pub fn is_least(&self) -> bool {
        *self == Self::Benign
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|severity| severity.name() == text);
        found.ok_or_else(|| "expected benign, suspect or harmful".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.name());
        }
        assert!("bad".parse::<Severity>().is_err());
    }
}
