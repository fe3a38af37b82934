//! What a program is written in, or runs on, read from its executable: Go and Rust say so in sections of their own,
//! others by their file's name. Costs up to some milliseconds; the answer belongs to the file, whoever runs it.

mod elf;
mod go;
mod jvm;
mod names;
mod version;

#[cfg(test)]
mod tests;

use std::{fs::File, path::Path};

use crate::event::Runtime;
use elf::Image;

/// The runtime of an open executable. `path` is its absolute path in the mount namespace of its process, `root` the root
/// directory there (`/proc/PID/root`), where files beside it are looked up; either may be wrong or gone. None when
/// nothing is known.
///
/// The file is whatever somebody has made of it. At most some megabytes of it are read, and any bytes give an answer.
#[must_use]
pub fn detect(executable: &File, path: &str, root: &Path) -> Option<Runtime> {
    let image = Image::of(executable).unwrap_or_else(|| Image::nothing(executable));
    // Surer than a name: many a Go program is called as what it replaces.
    if let Some(found) = go::detect(&image) {
        return Some(found);
    }
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let (name, named) = names::known(path).or_else(|| linked(&image))?;
    let version = match name {
        "jvm" => jvm::version(path, root),
        "nginx" => version::after(&image, b"nginx/"),
        "node" => version::after(&image, b"node.js/v"),
        "rust" => version::rust(&image),
        _ => None,
    };
    Some(Runtime { name: name.to_owned(), version: version.or(named) })
}

/// What the linker has left, for programs with a name of their own.
fn linked(image: &Image<'_>) -> Option<(&'static str, Option<String>)> {
    let names = image.contents(elf::DYNAMIC_STRINGS, 1 << 16);
    let imports = |name: &[u8]| memchr::memmem::find(&names, name).is_some();
    if imports(b"\0libjli.so\0") {
        return Some(("jvm", None));
    }
    // A single file with the runtime in it, and one compiled ahead of time.
    if imports(b"\0DotNetRuntimeInfo\0") || imports(b"\0DotNetRuntimeDebugHeader\0") {
        return Some(("dotnet", None));
    }
    if version::is_rust(image) {
        return Some(("rust", None));
    }
    version::is_apphost(image).then_some(("dotnet", None))
}
