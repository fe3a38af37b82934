//! Reads a JSON Schema (Draft 2020-12, as schemars writes it): follows references and flattens nested objects into
//! rows of dotted paths.

use serde_json::Value;

/// Nesting that is followed; a type that holds itself would never end.
const DEPTH: usize = 8;

/// One field of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// Dotted, `[]` after an array: `stack.user[]`.
    pub(crate) path: String,
    pub(crate) kind: String,
    /// Always there when what it lies in is.
    pub(crate) required: bool,
    pub(crate) description: &'a str,
}

/// A schema within the document that its references point into.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'a> {
    document: &'a Value,
    value: &'a Value,
}

impl<'a> Schema<'a> {
    /// The whole document's schema.
    pub(crate) fn new(document: &'a Value) -> Self {
        Self { document, value: document }
    }

    /// The doc comment, here or of the type referred to.
    pub(crate) fn description(self) -> &'a str {
        self.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// The variants of an enum, here or in what is taken over.
    pub(crate) fn variants(self) -> Vec<Self> {
        let here = self.list("oneOf");
        if here.is_empty() { self.bases().into_iter().flat_map(Self::variants).collect() } else { here }
    }

    /// The one value that a property can have, such as a variant's tag.
    pub(crate) fn constant(self, property: &str) -> Option<&'a str> {
        let (_, property) = self.properties().into_iter().find(|(name, _)| *name == property)?;
        property.get("const")?.as_str()
    }

    /// All fields, each followed by those nested in it.
    pub(crate) fn fields(self) -> Vec<Field<'a>> {
        let mut rows = Vec::new();
        self.collect("", DEPTH, &mut rows);
        rows
    }

    fn collect(self, prefix: &str, depth: usize, rows: &mut Vec<Field<'a>>) {
        let required = self.required();
        for (name, schema) in self.properties() {
            let path = format!("{prefix}{name}");
            let (item, inner) = match schema.items() {
                Some(item) => (item, format!("{path}[].")),
                None => (schema, format!("{path}.")),
            };
            let required = required.contains(&name);
            rows.push(Field { path, kind: schema.kind(), required, description: schema.description() });
            if let Some(depth) = depth.checked_sub(1) {
                item.collect(&inner, depth, rows);
            }
        }
    }

    /// The type in words.
    fn kind(self) -> String {
        let quoted = |value: &Value| format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if let Some(value) = self.get("const") {
            return quoted(value);
        }
        if let Some(values) = self.get("enum").and_then(Value::as_array) {
            return values.iter().filter(|value| !value.is_null()).map(quoted).collect::<Vec<_>>().join(", ");
        }
        // An enum whose variants have doc comments.
        let constants: Vec<String> =
            self.variants().into_iter().filter_map(|one| one.get("const")).map(quoted).collect();
        if !constants.is_empty() {
            return constants.join(", ");
        }
        if let Some(item) = self.items() {
            return format!("array of {}", item.kind());
        }
        let kinds = match self.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                let kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                kinds.collect::<Vec<_>>().join(" or ")
            }
            _ => "any".to_owned(),
        };
        match self.get("format").and_then(Value::as_str) {
            Some(format) => format!("{kinds} ({format})"),
            None => kinds,
        }
    }

    fn items(self) -> Option<Self> {
        self.get("items").map(|value| self.at(value))
    }

    /// Own properties, then those taken over.
    fn properties(self) -> Vec<(&'a str, Self)> {
        let own = self.value.get("properties").and_then(Value::as_object);
        let own = own.into_iter().flatten().map(|(name, value)| (name.as_str(), self.at(value)));
        let mut all: Vec<(&str, Self)> = own.collect();
        for (name, schema) in self.bases().into_iter().flat_map(Self::properties) {
            if all.iter().all(|(known, _)| *known != name) {
                all.push((name, schema));
            }
        }
        all
    }

    fn required(self) -> Vec<&'a str> {
        let own = self.value.get("required").and_then(Value::as_array);
        let own = own.into_iter().flatten().filter_map(Value::as_str);
        own.chain(self.bases().into_iter().flat_map(Self::required)).collect()
    }

    /// A keyword, here or where references lead: what stands here comes first.
    fn get(self, keyword: &str) -> Option<&'a Value> {
        self.value.get(keyword).or_else(|| self.bases().into_iter().find_map(|base| base.get(keyword)))
    }

    /// The schemas that this one takes over whole: `$ref`, `allOf`, and T in `anyOf: [T, null]`, which is `Option<T>`.
    fn bases(self) -> Vec<Self> {
        let reference = self.value.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let target = reference.and_then(|path| self.document.pointer(path)).map(|value| self.at(value));
        let mut optional = self.list("anyOf");
        optional.retain(|one| one.value.get("type").is_none_or(|kind| kind != "null"));
        optional.truncate(if optional.len() == 1 { 1 } else { 0 });
        target.into_iter().chain(self.list("allOf")).chain(optional).collect()
    }

    fn list(self, keyword: &str) -> Vec<Self> {
        let list = self.value.get(keyword).and_then(Value::as_array);
        list.into_iter().flatten().map(|value| self.at(value)).collect()
    }

    fn at(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(document: &Value) -> Vec<(String, String, bool, String)> {
        let fields = Schema::new(document).fields().into_iter();
        fields.map(|field| (field.path, field.kind, field.required, field.description.to_owned())).collect()
    }

    fn row(path: &str, kind: &str, required: bool, description: &str) -> (String, String, bool, String) {
        (path.to_owned(), kind.to_owned(), required, description.to_owned())
    }

    #[test]
    fn optional_and_referenced_objects_are_flattened() {
        let document = json!({
            "$defs": {"Peer": {
                "description": "Whoever.",
                "properties": {"port": {"type": "integer", "format": "uint16", "description": "TCP port."}},
                "required": ["port"],
                "type": "object",
            }},
            "properties": {
                "peer": {"anyOf": [{"$ref": "#/$defs/Peer"}, {"type": "null"}]},
                "self": {"$ref": "#/$defs/Peer", "description": "Us."},
            },
            "required": ["self"],
        });
        let expected = [
            row("peer", "object", false, "Whoever."),
            row("peer.port", "integer (uint16)", true, "TCP port."),
            row("self", "object", true, "Us."),
            row("self.port", "integer (uint16)", true, "TCP port."),
        ];
        assert_eq!(rows(&document), expected);
    }

    #[test]
    fn arrays_enums_and_options_are_named_in_words() {
        let document = json!({"properties": {
            "cause": {"oneOf": [{"const": "clean", "description": "x"}, {"const": "mptcp"}]},
            "lost": {"items": {"properties": {"n": {"type": "integer"}}, "type": "object"}, "type": "array"},
            "name": {"type": ["string", "null"]},
            "plan": {"enum": ["fentry", "kprobe", null]},
            "user": {"items": {"type": "string"}, "type": "array"},
        }});
        let kinds: Vec<(String, String)> = rows(&document).into_iter().map(|row| (row.0, row.1)).collect();
        let expected = [
            ("cause", "`clean`, `mptcp`"),
            ("lost", "array of object"),
            ("lost[].n", "integer"),
            ("name", "string"),
            ("plan", "`fentry`, `kprobe`"),
            ("user", "array of string"),
        ];
        assert_eq!(kinds, expected.map(|(path, kind)| (path.to_owned(), kind.to_owned())));
    }

    #[test]
    fn a_type_that_holds_itself_ends() {
        let document = json!({"properties": {"inner": {"$ref": "#"}}});
        assert_eq!(rows(&document).len(), DEPTH + 1);
    }
}
