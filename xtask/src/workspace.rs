//! Where the workspace and its build directory are, and how its cargo is called.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for `cargo run`, hence for the alias; the compiled-in path serves a direct call.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").to_owned().into());
    let manifest = PathBuf::from(manifest);
    manifest.parent().map_or(manifest.clone(), Path::to_owned)
}

/// Cargo's build directory: `target/`, or what `CARGO_TARGET_DIR` says.
pub(crate) fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Programs that `cargo xtask setup` built for this workspace alone.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// A program on the search path, in the system folders that a user's path leaves out, or in `target/tools`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain([tools_dir().join("bin")])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// The cargo that runs us, in the workspace's root. What it tells of this crate is kept from it: build scripts of others look
/// at these variables, and all above them would be built anew after each `cargo build` by hand.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}
