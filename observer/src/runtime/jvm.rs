//! The version of a Java runtime: the file `release` in its home says it.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// Largest part of the file that is read; it has about one kilobyte.
const LARGEST: u64 = 1 << 16;

/// The version that belongs to `…/bin/java`. Java 8 has its `bin` in `jre`, the file beside that.
pub(super) fn version(path: &str, root: &Path) -> Option<String> {
    let homes = Path::new(path).ancestors().skip(2).take(2);
    homes.map(|home| home.join("release")).find_map(|file| of_release(&read(&file, root)?))
}

/// Within a root that may be somebody else's: no link leads out of it, and nothing but a file is read.
fn read(path: &Path, root: &Path) -> Option<String> {
    let below: PathBuf = path.strip_prefix("/").ok()?.into();
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(openat2(root, below, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).ok()?;
    String::from_utf8(text).ok()
}

/// `JAVA_VERSION="17.0.15"`
fn of_release(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?.trim().trim_matches('"');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    (!value.is_empty() && value.len() < 64 && value.bytes().all(plain)).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::fixture::Folder;

    #[test]
    fn the_version_is_a_line_of_the_release_file() {
        assert_eq!(of_release("IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\n").as_deref(), Some("17.0.15"));
        assert_eq!(of_release("JAVA_VERSION=\"1.8.0_422\"\r\n").as_deref(), Some("1.8.0_422"));
        for text in ["", "JAVA_VERSION=\"\"", "JAVA_VERSION=\"1 2\"", "JAVA_RUNTIME_VERSION=\"17\""] {
            assert_eq!(of_release(text), None, "{text}");
        }
    }

    #[test]
    fn the_file_is_looked_up_within_the_root_of_the_process() {
        let (folder, elsewhere) = (Folder::new("jvm"), Folder::new("jvm-outside"));
        let root = folder.path();
        fs::create_dir_all(root.join("opt/real")).unwrap();
        fs::write(root.join("opt/real/release"), "JAVA_VERSION=\"21\"\n").unwrap();
        // As in a container: absolute links, meant within it.
        symlink("/opt/real", root.join("opt/java")).unwrap();
        assert_eq!(version("/opt/java/bin/java", root).as_deref(), Some("21"));
        assert_eq!(version("/opt/java/jre/bin/java", root).as_deref(), Some("21"), "Java 8");
        assert_eq!(version("/opt/none/bin/java", root), None);
        assert_eq!(version("java", root), None);
        // A link that would leave the root leads nowhere.
        let outside = elsewhere.join("release");
        fs::write(&outside, "JAVA_VERSION=\"1\"\n").unwrap();
        fs::remove_file(root.join("opt/real/release")).unwrap();
        symlink(&outside, root.join("opt/real/release")).unwrap();
        assert_eq!(version("/opt/java/bin/java", root), None);
    }
}
