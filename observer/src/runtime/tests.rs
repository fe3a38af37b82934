//! Executables made by hand, whole and broken. Real ones: `observer/tests/machine`.

use std::io::Write as _;

use rustix::fs::{MemfdFlags, memfd_create};

use super::*;

/// Where the whole file is loaded.
const BASE: u64 = 0x40_0000;

/// A file in memory.
fn file(bytes: &[u8]) -> File {
    let mut file = File::from(memfd_create("executable", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    file
}

/// An ELF file, 64 bits, little endian, of these sections, each aligned to 16 bytes. One segment, writable or not, loads
/// all of it to [`BASE`].
fn elf(sections: &[(&str, &[u8])], writable: bool) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    let mut headers = vec![[0_u8; 64]];
    let mut names = vec![0];
    let all = sections.iter().copied().map(|(name, data)| (name, 1_u32, data)).chain([(".shstrtab", 3, &b""[..])]);
    for (name, kind, data) in all {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&u32::try_from(names.len()).unwrap().to_le_bytes());
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        let data = if kind == 3 { names.clone() } else { data.to_vec() };
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(data.len() as u64).to_le_bytes());
        headers.push(header);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(16), 0);
    }
    let table = bytes.len() as u64;
    let count = u16::try_from(headers.len()).unwrap();
    bytes.extend(headers.concat());
    let size = bytes.len() as u64;
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &3_u16.to_le_bytes()); // shared object
    put(18, &62_u16.to_le_bytes()); // x86-64
    put(20, &1_u32.to_le_bytes());
    put(32, &64_u64.to_le_bytes()); // program headers
    put(40, &table.to_le_bytes());
    put(52, &[64, 0, 56, 0, 1, 0, 64, 0]);
    put(60, &count.to_le_bytes());
    put(62, &(count - 1).to_le_bytes());
    put(64, &1_u32.to_le_bytes()); // PT_LOAD
    put(68, &(4_u32 | if writable { 2 } else { 0 }).to_le_bytes());
    put(80, &BASE.to_le_bytes());
    put(96, &size.to_le_bytes());
    bytes
}

/// `.go.buildinfo` since Go 1.18.
fn inline(version: &str) -> Vec<u8> {
    let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
    info.resize(32, 0);
    info.push(u8::try_from(version.len()).unwrap());
    info.extend_from_slice(version.as_bytes());
    info.extend([0; 40]);
    info
}

/// `.go.buildinfo` before, at the start of the first section: pointers to the string behind it.
fn pointers(version: &str) -> Vec<u8> {
    let start = BASE + 128;
    let mut info = b"\xff Go buildinf:\x08\x00".to_vec();
    info.extend((start + 32).to_le_bytes());
    info.extend([0; 8]);
    info.extend((start + 48).to_le_bytes());
    info.extend((version.len() as u64).to_le_bytes());
    info.extend_from_slice(version.as_bytes());
    info
}

fn runtime(bytes: &[u8], path: &str) -> Option<(String, Option<String>)> {
    detect(&file(bytes), path, Path::new("/")).map(|runtime| (runtime.name, runtime.version))
}

fn known(name: &str, version: Option<&str>) -> Option<(String, Option<String>)> {
    Some((name.to_owned(), version.map(str::to_owned)))
}

#[test]
fn go_tells_its_version_in_both_formats_also_without_sections() {
    for (text, version) in [
        ("go1.26.1", Some("1.26.1")),
        ("devel go1.27-4f2c1b9 Mon Jan 5", Some("1.27-4f2c1b9")),
        ("go1.22.1 X:boringcrypto", Some("1.22.1")),
        ("unknown", None),
    ] {
        assert_eq!(runtime(&elf(&[(".go.buildinfo", &inline(text))], false), "/app"), known("go", version), "{text}");
        assert_eq!(runtime(&elf(&[(".go.buildinfo", &pointers(text))], false), "/app"), known("go", version), "{text}");
        assert_eq!(runtime(&elf(&[(".data", &inline(text))], true), "/app"), known("go", version), "{text}");
    }
    let elsewhere = elf(&[(".data", &inline("go1.26.1"))], false);
    assert_eq!(runtime(&elsewhere, "/app"), None, "the words alone, as in a tool that looks for them");
    let replaced = elf(&[(".go.buildinfo", &inline("go1.26.1"))], false);
    assert_eq!(runtime(&replaced, "/usr/bin/curl"), known("go", Some("1.26.1")), "whatever it is called");
}

#[test]
fn rust_is_told_by_the_compilers_comment_or_by_the_library_in_it() {
    let comment = b"GCC: (Debian 12.2.0-14) 12.2.0\0rustc version 1.95.0 (59807616e 2026-04-14)\0";
    assert_eq!(runtime(&elf(&[(".comment", comment)], false), "/app"), known("rust", Some("1.95.0")));
    let nightly = b"rustc version 1.97.0-nightly (0123456789 2026-05-01)\0";
    assert_eq!(runtime(&elf(&[(".comment", nightly)], false), "/app"), known("rust", Some("1.97.0")));
    // Without the comment, and across the edge of what is searched at once.
    let data = |text: &[u8]| [&vec![b'x'; (1 << 16) - 20], text].concat();
    let hash = data(b"/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs\0");
    assert_eq!(runtime(&elf(&[(".rodata", &hash)], false), "/app"), known("rust", None));
    let debian = data(b"/usr/src/rustc-1.96.0/library/std/src/sync/once.rs\0");
    assert_eq!(runtime(&elf(&[(".rodata", &debian)], false), "/app"), known("rust", Some("1.96.0")));
    let tool = data(b"/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/\0");
    assert_eq!(runtime(&elf(&[(".rodata", &tool), (".comment", b"GCC: 12\0")], false), "/app"), None);
}

#[test]
fn servers_and_node_tell_their_version_in_their_data() {
    let data = b"nginx version: nginx/\0nginx/1.22.1\0node.js/v20.20.2\0";
    let image = elf(&[(".rodata", data)], false);
    assert_eq!(runtime(&image, "/usr/sbin/nginx"), known("nginx", Some("1.22.1")));
    assert_eq!(runtime(&image, "/usr/sbin/nginx (deleted)"), known("nginx", Some("1.22.1")));
    assert_eq!(runtime(&image, "/usr/bin/node"), known("node", Some("20.20.2")));
    assert_eq!(runtime(&image, "/usr/bin/python3.11"), known("cpython", Some("3.11")));
    assert_eq!(runtime(&image, "/usr/bin/unheard-of"), None);
}

#[test]
fn a_launcher_of_java_or_dotnet_is_known_by_what_it_is_linked_with() {
    let strings = |text: &'static [u8]| elf(&[(".dynstr", text)], false);
    assert_eq!(runtime(&strings(b"\0libz.so.1\0libjli.so\0"), "/opt/app/bin/start"), known("jvm", None));
    assert_eq!(runtime(&strings(b"\0DotNetRuntimeInfo\0"), "/opt/app/service"), known("dotnet", None));
    assert_eq!(runtime(&strings(b"\0DotNetRuntimeDebugHeader\0"), "/opt/app/service"), known("dotnet", None));
    assert_eq!(runtime(&strings(b"\0notlibjli.so\0"), "/opt/app/bin/start"), None);
    let apphost = elf(&[(".rodata", b"\0libhostfxr.so\0")], false);
    assert_eq!(runtime(&apphost, "/opt/app/service"), known("dotnet", None));
    let large = elf(&[(".rodata", &[&b"\0libhostfxr.so\0"[..], &vec![b'.'; 1 << 20]].concat())], false);
    assert_eq!(runtime(&large, "/opt/sdk/tool"), None, "a program that only knows the name");
}

#[test]
fn what_is_no_elf_file_is_known_by_its_name_only() {
    assert_eq!(runtime(b"#!/bin/sh\n", "/usr/bin/node"), known("node", None));
    assert_eq!(runtime(b"", "/usr/bin/true"), None);
}

#[test]
fn sizes_and_places_that_the_file_does_not_have_are_not_believed() {
    let version = "go1.26.1";
    let whole = elf(&[(".go.buildinfo", &pointers(version)), (".rodata", b"nginx/1.2.3\0")], false);
    let table = usize::from_le_bytes(whole[40..48].try_into().unwrap());
    for field in [u64::MAX, u64::MAX - 200, 1 << 63, 1 << 40] {
        for at in
            [table + 64 + 24, table + 64 + 32, table + 128 + 24, table + 128 + 32, 40, 32, 80, 72, 96, 144, 160, 184]
        {
            let mut broken = whole.clone();
            broken[at..at + 8].copy_from_slice(&field.to_le_bytes());
            let found = runtime(&broken, "/usr/sbin/nginx").unwrap();
            assert!(["go", "nginx"].contains(&found.0.as_str()), "{found:?}");
        }
    }
    // 65,535 sections at the end of a short file.
    let mut many = whole.clone();
    many[60..62].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(runtime(&many, "/usr/sbin/nginx"), known("nginx", None));
}

#[test]
fn any_bytes_give_an_answer() {
    let java = (".dynstr", &b"\0libjli.so\0"[..]);
    let rust = (".comment", &b"rustc version 1.95.0 (59807616e 2026-04-14)\0"[..]);
    let wholes = [
        elf(&[(".go.buildinfo", &inline("go1.26.1"))], true),
        elf(&[(".go.buildinfo", &pointers("go1.17.13"))], true),
        elf(&[java, rust, (".rodata", b"nginx/1.22.1\0node.js/v20.20.2\0")], false),
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % bound as u64).unwrap()
    };
    let mut known = 0;
    for round in 0..6_000 {
        let mut bytes = wholes[round % wholes.len()].clone();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                // The headers decide about everything else.
                _ => bytes[at % 512.min(at + 1)] ^= 1 << random(8),
            }
        }
        known += usize::from(runtime(&bytes, ["/app", "/usr/sbin/nginx", "/usr/bin/node"][random(3)]).is_some());
    }
    assert!(known > 1_000, "most mutations leave something to be found: {known}");
}
