//! Takes the ELF kernel out of a bzImage. QEMU boots the ELF by PVH, which saves the guest its own decompression and
//! relocation: about a second of a three-second boot.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Where the boot protocol (the kernel's Documentation/arch/x86/boot.rst) keeps what is needed here.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD: usize = 0x248;

/// First bytes of a compressed payload → the program that undoes it.
const COMPRESSIONS: [(&[u8], &[&str]); 5] = [
    (b"\x28\xb5\x2f\xfd", &["zstd", "-dc"]),
    (b"\x02\x21\x4c\x18", &["lz4", "-dc"]),
    (b"\x04\x22\x4d\x18", &["lz4", "-dc"]),
    (b"\xfd7zXZ\0", &["xz", "-dc", "--single-stream"]),
    (b"\x1f\x8b", &["gzip", "-dc"]),
];

/// The uncompressed ELF kernel.
pub(crate) fn elf(image: &[u8]) -> Result<Vec<u8>> {
    let (stream, size) = payload(image).context("not a bzImage")?;
    let Some((_, words)) = COMPRESSIONS.iter().find(|(magic, _)| stream.starts_with(magic)) else {
        bail!("a compression that is not known here: {:02x?}", stream.get(..6).unwrap_or(stream));
    };
    let elf = process::filter(Command::new(words[0]).args(&words[1..]), stream.to_vec())?;
    if elf.len() != size || !elf.starts_with(b"\x7fELF") {
        bail!("`{}` gave {} bytes, the image promises an ELF file of {size}", words.join(" "), elf.len());
    }
    Ok(elf)
}

/// The compressed stream and the size it unpacks to, which are the payload's last four bytes.
fn payload(image: &[u8]) -> Option<(&[u8], usize)> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let word = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?) as usize);
    // By the protocol, 0 means 4.
    let sectors = match *image.get(SETUP_SECTORS)? {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (sectors + 1) * 512 + word(PAYLOAD)?;
    let payload = image.get(start..start.checked_add(word(PAYLOAD + 4)?)?)?;
    let (stream, size) = payload.split_last_chunk()?;
    Some((stream, u32::from_le_bytes(*size) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 2048];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD..PAYLOAD + 8].copy_from_slice(&[16, 0, 0, 0, 10, 0, 0, 0]);
        image[1024 + 16..1024 + 26].copy_from_slice(b"stream\x2a\0\0\0");
        image
    }

    #[test]
    fn the_payload_is_where_the_header_says() {
        assert_eq!(payload(&image()), Some((&b"stream"[..], 42)));
    }

    #[test]
    fn a_cut_image_is_no_bzimage_at_any_length() {
        let image = image();
        assert!((0..1024 + 26).all(|length| payload(&image[..length]).is_none()));
    }
}
