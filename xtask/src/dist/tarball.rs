//! The tarball for any distribution: unpacked below `/usr/local` or elsewhere, it runs.

use anyhow::Result;

use super::{
    archive::{self, Tree},
    contents::Content,
    program::Program,
    release::Release,
};

/// The name without `.tar.gz`, which is also the folder that everything is in.
pub(crate) fn name(release: &Release, program: &Program) -> String {
    format!("conn-observer-{}-{}", release.version, program.target)
}

/// The compressed archive.
pub(crate) fn archive(release: &Release, program: &Program, contents: &[Content]) -> Result<Vec<u8>> {
    let folder = name(release, program);
    let mut tree = Tree::default();
    for content in contents {
        tree.file(&format!("{folder}/{}", content.path), content.mode, content.bytes.clone());
    }
    archive::gzip(&tree.to_tar(release.epoch)?)
}
