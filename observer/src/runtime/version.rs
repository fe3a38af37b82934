//! What programs write of themselves into their read-only data.

use memchr::memmem;

use super::elf::{COMMENT, Image, READ_ONLY_DATA};

/// How far a version is looked for: it stands within the first megabyte of all that were looked at.
const SEARCHED: u64 = 4 << 20;

/// Largest `.rodata` of the small program that starts .NET; it has some tens of kilobytes.
const APPHOST: u64 = 1 << 20;

/// The number after these words, as `nginx/1.22.1`.
pub(super) fn after(image: &Image<'_>, words: &[u8]) -> Option<String> {
    image.search(READ_ONLY_DATA, SEARCHED, |window| {
        memmem::find_iter(window, words).find_map(|place| number(&window[place + words.len()..]))
    })
}

/// Whether rustc has compiled it: it says so to the linker, and the messages of panics name the standard library's files.
pub(super) fn is_rust(image: &Image<'_>) -> bool {
    let library = |window: &[u8]| memmem::find(window, b"library/std/src/").map(drop);
    comment(image).is_some() || image.search(READ_ONLY_DATA, SEARCHED, library).is_some()
}

/// The compiler's version: what it has told the linker, or where a distribution keeps the library.
pub(super) fn rust(image: &Image<'_>) -> Option<String> {
    comment(image).or_else(|| after(image, b"/usr/src/rustc-"))
}

/// `rustc version 1.95.0 (59807616e 2026-04-14)`
fn comment(image: &Image<'_>) -> Option<String> {
    const WORDS: &[u8] = b"rustc version ";
    let comment = image.contents(COMMENT, 1 << 16);
    memmem::find_iter(&comment, WORDS).find_map(|place| number(&comment[place + WORDS.len()..]))
}

/// Whether it is the program that finds and starts .NET for an application.
pub(super) fn is_apphost(image: &Image<'_>) -> bool {
    let small = image.size(READ_ONLY_DATA) <= APPHOST;
    let found = |window: &[u8]| memmem::find(window, b"\0libhostfxr.so\0").map(drop);
    small && image.search(READ_ONLY_DATA, APPHOST, found).is_some()
}

/// Digits and dots at the beginning: at least two numbers, and an end that is not the end of the bytes.
fn number(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().take(32).position(|byte| !(byte.is_ascii_digit() || *byte == b'.'))?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let parts = text.split('.');
    (text.contains('.') && parts.into_iter().all(|part| !part.is_empty())).then(|| text.to_owned())
}
