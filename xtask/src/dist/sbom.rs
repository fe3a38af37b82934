//! The bill of materials: CycloneDX 1.6 (ECMA-424) in JSON, made from what cargo resolves. The tools for that
//! (cargo-cyclonedx, cargo-sbom) do not list the standard library and the C library that a static program contains.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    crates::Crate,
    program::{Library, Program},
    release::Release,
};
use crate::digest;

/// The document's name.
pub(crate) fn name(release: &Release, program: &Program) -> String {
    format!("conn-observer-{}-{}.cdx.json", release.version, program.target)
}

/// The document for a program whose SHA-256 is `program`; the same input gives the same bytes.
pub(crate) fn document(
    own: &Crate,
    crates: &[Crate],
    libraries: &[Library],
    program: &str,
    epoch: u64,
) -> Result<Vec<u8>> {
    let time = jiff::Timestamp::from_second(i64::try_from(epoch)?).context("SOURCE_DATE_EPOCH is out of range")?;
    let mut application = component("application", own);
    application["hashes"] = json!([{ "alg": "SHA-256", "content": program }]);
    let mut components: Vec<Value> = crates.iter().map(|one| component("library", one)).collect();
    components.extend(libraries.iter().map(system_library));
    let uses = |one: &Crate| {
        let mut uses = one.uses.clone();
        if one.name == own.name {
            uses.extend(libraries.iter().map(Library::purl));
        }
        json!({ "ref": one.purl(), "dependsOn": uses })
    };
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", uuid(program)),
        "version": 1,
        "metadata": { "timestamp": time.to_string(), "component": application },
        "components": components,
        "dependencies": std::iter::once(own).chain(crates).map(uses).collect::<Vec<_>>(),
    });
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn component(kind: &str, one: &Crate) -> Value {
    let mut value = json!({
        "type": kind,
        "bom-ref": one.purl(),
        "name": one.name,
        "version": one.version,
        "licenses": [{ "expression": one.licence }],
        "purl": one.purl(),
    });
    if let Some(checksum) = &one.checksum {
        value["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = &one.repository {
        value["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    value
}

fn system_library(library: &Library) -> Value {
    let mut value = json!({
        "type": "library",
        "bom-ref": library.purl(),
        "name": library.name,
        "licenses": [{ "expression": library.licence }],
        "purl": library.purl(),
    });
    if let Some(version) = &library.version {
        value["version"] = json!(version);
    }
    value
}

/// A UUID of version 8 (RFC 9562 §5.8) from a digest: a random one would differ at every build.
fn uuid(seed: &str) -> String {
    let digest = digest::of_bytes(seed.as_bytes());
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, uses: &[&str]) -> Crate {
        Crate {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT".to_owned(),
            description: None,
            repository: None,
            folder: Default::default(),
            checksum: None,
            uses: uses.iter().map(|one| one.to_string()).collect(),
        }
    }

    #[test]
    fn every_crate_is_a_component_and_the_program_depends_on_the_libraries_too() {
        let libraries = [Library { name: "musl", version: Some("1.2.3".to_owned()), licence: "MIT" }];
        let own = krate("conn-observer", &["pkg:cargo/a@1.0.0"]);
        let bytes = document(&own, &[krate("a", &[])], &libraries, "00ff", 0).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
        let names: Vec<&Value> = value["components"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["a", "musl"]);
        let uses = &value["dependencies"][0]["dependsOn"];
        assert_eq!(uses, &json!(["pkg:cargo/a@1.0.0", "pkg:generic/musl@1.2.3"]));
    }

    #[test]
    fn an_id_has_the_form_of_a_uuid() {
        let id = uuid("x");
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_ne!(id, uuid("y"));
    }
}
