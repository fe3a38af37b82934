//! Go: the version that every Go program carries for `go version`, stripped or not (package `debug/buildinfo`).

use super::elf::{GO_BUILD_INFO, Image};
use crate::event::Runtime;

const MAGIC: &[u8] = b"\xff Go buildinf:";

/// The header is aligned so, and so long.
const ALIGNMENT: usize = 16;
const HEADER: usize = 32;

/// Where it is looked for; it comes first in its section, or, where no section is called so, in the writable data.
const SEARCHED: usize = 1 << 16;

/// Longest version believed.
const LONGEST: usize = 256;

/// A Go program, and its version where it can be read.
pub(super) fn detect(image: &Image<'_>) -> Option<Runtime> {
    let mut data = image.contents(GO_BUILD_INFO, SEARCHED);
    if data.is_empty() {
        data = image.writable(SEARCHED);
    }
    let mut places = memchr::memmem::find_iter(&data, MAGIC).filter(|place| place % ALIGNMENT == 0);
    let info = data.get(places.next()?..)?;
    let text = version(image, info).and_then(|bytes| String::from_utf8(bytes).ok());
    // `go1.22.1`, also after `devel` and before experiments.
    let version = text.and_then(|text| {
        let number = text.split_whitespace().find_map(|word| word.strip_prefix("go"))?;
        number.starts_with(|first: char| first.is_ascii_digit()).then(|| number.to_owned())
    });
    Some(Runtime { name: "go".to_owned(), version })
}

fn version(image: &Image<'_>, info: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = info.split_at_checked(HEADER)?;
    let (pointer_size, flags) = (header[MAGIC.len()], header[MAGIC.len() + 1]);
    // Since Go 1.18 the version itself follows, before it a pointer to the string's header.
    if flags & 2 != 0 {
        let (length, text) = varint(body)?;
        return (length <= LONGEST).then(|| text.get(..length).map(<[u8]>::to_vec))?;
    }
    let big_endian = flags & 1 != 0;
    let word = |bytes: &[u8], index: usize| word(bytes, index, usize::from(pointer_size), big_endian);
    let string = image.loaded(word(&header[ALIGNMENT..], 0)?, 2 * usize::from(pointer_size));
    let (address, length) = (word(&string, 0)?, usize::try_from(word(&string, 1)?).ok()?);
    (length <= LONGEST).then(|| image.loaded(address, length))
}

/// An unsigned LEB128 number, and what follows it.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

fn word(bytes: &[u8], index: usize, size: usize, big_endian: bool) -> Option<u64> {
    let word = bytes.get(index * size..(index + 1) * size)?;
    match (<[u8; 8]>::try_from(word), <[u8; 4]>::try_from(word)) {
        (Ok(word), _) if big_endian => Some(u64::from_be_bytes(word)),
        (Ok(word), _) => Some(u64::from_le_bytes(word)),
        (_, Ok(word)) if big_endian => Some(u32::from_be_bytes(word).into()),
        (_, Ok(word)) => Some(u32::from_le_bytes(word).into()),
        _ => None,
    }
}
