//! Text on the page: escaped, and put into the template.

use std::fmt::{Display, Formatter, Result, Write as _};

/// A text of strangers, safe between tags and within quoted attributes. What would reorder or hide text is replaced.
pub(super) struct Safe<'a>(pub(super) &'a str);

impl Display for Safe<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                _ if is_disguise(character) => formatter.write_char(char::REPLACEMENT_CHARACTER)?,
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Controls, and marks that change the direction of what follows.
fn is_disguise(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A template with its places filled: `{{name}}`. What is filled in is not looked at again.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::with_capacity(template.len() * 4);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((name, after)) = behind.split_once("}}") else { break };
        text.push_str(before);
        text.push_str(&value(name));
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_strangers_text_is_markup() {
        let text = "<script>alert('1')</script> & \"x\"\u{7}\u{202e}ü";
        let safe = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;\u{fffd}\u{fffd}ü";
        assert_eq!(Safe(text).to_string(), safe);
    }

    #[test]
    fn what_is_filled_in_is_no_template() {
        let value = |name: &str| if name == "a" { "{{b}}".to_owned() } else { "!".to_owned() };
        assert_eq!(fill("1 {{a}} 2 {{b}} 3 {{", value), "1 {{b}} 2 ! 3 {{");
    }
}
