//! The filter line: words that a row has to hold, and `FIELD=VALUE` for findings, with the fields of `query --group-by`.

use super::figures::Leaf;
use crate::store::{Field, Selection};

/// What a filter line asks for. An empty one lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    text: String,
    words: Vec<String>,
    fields: Vec<(Field, Vec<String>)>,
}

impl Filter {
    /// Reads a line.
    ///
    /// # Errors
    /// One sentence for a field that there is not.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self { text: text.trim().to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            let Some((name, value)) = word.split_once('=') else {
                filter.words.push(word.to_lowercase());
                continue;
            };
            let Some(field) = Field::ALL.into_iter().find(|field| field.name() == name) else {
                let names = Field::ALL.map(Field::name).join(", ");
                return Err(format!("unknown field {name}; known are {names}"));
            };
            match filter.fields.iter_mut().find(|(known, _)| *known == field) {
                Some((_, values)) => values.push(value.to_owned()),
                None => filter.fields.push((field, vec![value.to_owned()])),
            }
        }
        Ok(filter)
    }

    /// The line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The selection, narrowed.
    pub(super) fn narrow(&self, selection: &Selection) -> Selection {
        let mut selection = selection.clone();
        selection.fields.extend(self.fields.iter().cloned());
        selection
    }

    /// Whether a row holds every word, in any of its levels.
    pub(super) fn lets_pass(&self, leaf: &Leaf) -> bool {
        let holds = |word: &String| leaf.iter().flatten().any(|name| name.to_lowercase().contains(word.as_str()));
        self.words.iter().all(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_fields_are_told_apart() {
        let filter = Filter::parse(" API  cause=close_unread unit=a.service cause=linger_zero ").unwrap();
        assert_eq!(filter.text(), "API  cause=close_unread unit=a.service cause=linger_zero");
        let expected = vec![
            (Field::Cause, vec!["close_unread".to_owned(), "linger_zero".to_owned()]),
            (Field::Unit, vec!["a.service".to_owned()]),
        ];
        assert_eq!(filter.narrow(&Selection::default()).fields, expected);
        let leaf = |process: Option<&str>| [process.map(str::to_owned), Some("db".to_owned()), None];
        assert!(filter.lets_pass(&leaf(Some("my-api"))));
        assert!(!filter.lets_pass(&leaf(Some("curl"))) && !filter.lets_pass(&leaf(None)));
    }

    #[test]
    fn an_unknown_field_is_named() {
        let told = Filter::parse("colour=red").unwrap_err();
        assert!(told.starts_with("unknown field colour; known are process, pid"), "{told}");
        assert_eq!(Filter::parse("  "), Ok(Filter::default()));
    }
}
