//! Who sends: this observer on this host, in the names of the semantic conventions.

use std::{collections::BTreeMap, sync::OnceLock};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
};

/// The conventions that names of attributes are taken from.
pub(super) const CONVENTIONS: &str = "https://opentelemetry.io/schemas/1.38.0";

/// The resource, with what is configured besides or instead.
pub(super) fn of(configured: &BTreeMap<String, String>) -> Resource {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut all = BTreeMap::from([
        ("service.name", "conn-observer"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("host.name", &host),
        ("os.type", "linux"),
    ]);
    if let Some(id) = instance() {
        all.insert("service.instance.id", id);
    }
    all.extend(configured.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let attributes = all.into_iter().map(|(name, value)| text(name, value.to_owned())).collect();
    Resource { attributes, ..Resource::default() }
}

/// What made the records.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "conn-observer".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// An attribute that is text.
pub(super) fn text(name: &str, value: String) -> KeyValue {
    attribute(name.to_owned(), Value::StringValue(value))
}

/// An attribute.
pub(super) fn attribute(key: String, value: Value) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A random UUID that this process has for itself, however often its sinks change: sequence numbers are its own.
fn instance() -> Option<&'static str> {
    static INSTANCE: OnceLock<Option<String>> = OnceLock::new();
    let made = INSTANCE.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/uuid").ok().map(|text| text.trim().to_owned())
    });
    made.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_this_observer_unless_told_otherwise() {
        let configured = BTreeMap::from([
            ("deployment.environment.name".to_owned(), "production".to_owned()),
            ("host.name".to_owned(), "node-7".to_owned()),
        ]);
        let resource = of(&configured);
        let value = |name: &str| {
            let mut found = resource.attributes.iter().filter(|one| one.key == name);
            let value = found.next().and_then(|one| one.value.clone()).and_then(|one| one.value);
            assert!(found.next().is_none(), "{name} is there once");
            value
        };
        let text = |text: &str| Some(Value::StringValue(text.to_owned()));
        assert_eq!(value("service.name"), text("conn-observer"));
        assert_eq!(value("service.version"), text(env!("CARGO_PKG_VERSION")));
        assert_eq!(value("os.type"), text("linux"));
        assert_eq!(value("host.name"), text("node-7"));
        assert_eq!(value("deployment.environment.name"), text("production"));
        assert!(value("service.instance.id").is_some());
        assert_eq!(of(&configured), resource, "the same as long as this process lives");
    }
}
