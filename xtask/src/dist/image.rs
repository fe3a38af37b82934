//! The container image: an OCI image layout (image-spec 1.0) in a tar archive, from nothing but the static program.
//!
//! `skopeo copy oci-archive:FILE docker://…` pushes it, `podman load` and `ctr images import` take it as it is.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    archive::{self, Tree},
    contents::{Content, Reader},
    crates::Crate,
    program::Program,
    release::Release,
};
use crate::digest;

/// The user that the program can become (`--user`), and whose the folder for logs is.
const USER: u32 = 65_532;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The archive's name.
pub(crate) fn name(release: &Release, program: &Program) -> String {
    format!("conn-observer-{}-oci-{}.tar", release.version, program.architecture.name())
}

/// The archive of the layout.
pub(crate) fn layout(release: &Release, program: &Program, own: &Crate, contents: &[Content]) -> Result<Vec<u8>> {
    let plain = root(contents).to_tar(release.epoch)?;
    let mut blobs = Blobs::default();
    let layer = blobs.add(LAYER, archive::gzip(&plain)?);
    let config = config(release, program, own, &digest::of_bytes(&plain))?;
    let config = blobs.add(CONFIG, serde_json::to_vec(&config)?);
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    let mut manifest = blobs.add(MANIFEST, serde_json::to_vec(&manifest)?);
    manifest["platform"] = json!({ "architecture": program.architecture.name(), "os": "linux" });
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": release.version });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] });
    let mut tree = blobs.0;
    tree.file("index.json", 0o644, serde_json::to_vec(&index)?);
    tree.file("oci-layout", 0o644, serde_json::to_vec(&json!({ "imageLayoutVersion": "1.0.0" }))?);
    tree.to_tar(release.epoch)
}

/// The root directory: the program, its configuration, licences, and the names of the two users that there are.
fn root(contents: &[Content]) -> Tree {
    let mut tree = Tree::default();
    for content in contents.iter().filter(|content| content.reader == Reader::Everybody) {
        tree.file(&content.installed(), content.mode, content.bytes.clone());
    }
    let user = format!("conn-observer:x:{USER}:{USER}:conn-observer:/var/log/conn-observer:/sbin/nologin\n");
    tree.file("etc/passwd", 0o644, format!("root:x:0:0:root:/:/sbin/nologin\n{user}").into_bytes());
    tree.file("etc/group", 0o644, format!("root:x:0:\nconn-observer:x:{USER}:\n").into_bytes());
    tree.directory("var/log/conn-observer", 0o750, USER);
    tree.directory("tmp", 0o1777, 0);
    tree
}

/// It starts as root, since capabilities that a container is given reach no other user.
fn config(release: &Release, program: &Program, own: &Crate, layer: &str) -> Result<Value> {
    let created = jiff::Timestamp::from_second(i64::try_from(release.epoch)?)?.to_string();
    Ok(json!({
        "created": created,
        "architecture": program.architecture.name(),
        "os": "linux",
        "config": {
            "User": "0:0",
            "Entrypoint": ["/usr/bin/conn-observer"],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "conn-observer",
                "org.opencontainers.image.description": own.description,
                "org.opencontainers.image.source": own.repository,
                "org.opencontainers.image.version": release.version,
                "org.opencontainers.image.created": created,
                "org.opencontainers.image.licenses": own.licence,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": created, "created_by": "cargo xtask dist" }],
    }))
}

/// Content-addressed files, below `blobs/sha256`.
#[derive(Default)]
struct Blobs(Tree);

impl Blobs {
    /// Adds one and gives its descriptor.
    fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest::of_bytes(&bytes);
        let descriptor = json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() });
        self.0.file(&format!("blobs/sha256/{digest}"), 0o644, bytes);
        descriptor
    }
}
