//! Reads a JSON Schema (Draft 2020-12, as schemars writes it): follows references and flattens nested objects into
//! rows of dotted paths.

use serde_json::{Map, Value};

/// One field of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Dotted, `[]` after an array: `stack.user[]`.
    pub(crate) path: String,
    pub(crate) kind: String,
    /// Always there, given that what it lies in is.
    pub(crate) required: bool,
    pub(crate) description: String,
}

/// A schema with the document that its references point into.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'a> {
    document: &'a Value,
    value: &'a Value,
}

impl<'a> Schema<'a> {
    pub(crate) fn new(document: &'a Value) -> Self {
        Self { document, value: document }
    }

    fn at(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    /// The keyword here, or where `$ref` or `allOf` lead: what stands here comes first.
    fn get(self, keyword: &str) -> Option<&'a Value> {
        self.value.get(keyword).or_else(|| self.bases().into_iter().find_map(|base| base.get(keyword)))
    }

    /// The schemas that this one takes over whole.
    fn bases(self) -> Vec<Self> {
        let reference = self.value.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let target = reference.and_then(|path| self.document.pointer(path));
        let all = self.value.get("allOf").and_then(Value::as_array);
        // `Option<T>` of a referenced T: any of T and null.
        let optional = self.alternatives("anyOf").into_iter().filter(|one| one.value["type"] != "null");
        let optional: Vec<Self> = optional.collect();
        let optional = if optional.len() == 1 { optional } else { Vec::new() };
        target.into_iter().chain(all.into_iter().flatten()).map(|value| self.at(value)).chain(optional).collect()
    }

    /// The schemas listed under `oneOf` or `anyOf`.
    fn alternatives(self, keyword: &str) -> Vec<Self> {
        let list = self.value.get(keyword).and_then(Value::as_array);
        list.into_iter().flatten().map(|value| self.at(value)).collect()
    }

    /// The variants of a tagged enum, here or in what is taken over.
    pub(crate) fn variants(self) -> Vec<Self> {
        let here = self.alternatives("oneOf");
        if here.is_empty() { self.bases().into_iter().flat_map(Self::variants).collect() } else { here }
    }

    /// The constant value of a property, such as a variant's tag.
    pub(crate) fn constant(self, property: &str) -> Option<&'a str> {
        let property = self.at(self.properties().get(property)?);
        let single = || property.get("enum")?.as_array().filter(|values| values.len() == 1)?.first();
        property.get("const").or_else(single)?.as_str()
    }

    pub(crate) fn description(self) -> &'a str {
        self.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// All properties, those taken over last.
    fn properties(self) -> Map<String, Value> {
        todo_properties(self)
    }
}
