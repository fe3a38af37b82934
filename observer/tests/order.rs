//! The order of the modules, as a test: a module uses those declared before it in `lib.rs`, never those after it, and
//! each outside system has one door.

#![allow(clippy::unwrap_used, reason = "a test: a panic is the verdict")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules that may name a crate; everybody else goes through them.
const DOORS: &[(&str, &[&str])] = &[
    ("aho_corasick::", &["hint"]),
    ("aya::", &["kernel", "observe"]), // `observe` names the type of the ring it waits for
    ("btf_rs::", &["kernel"]),
    ("clap::", &["cli"]),
    ("clap_complete::", &["cli"]),
    ("clap_mangen::", &["cli"]),
    ("cpp_demangle::", &["symbols"]),
    ("dns_lookup::", &["names"]),
    ("domain::", &["names"]),
    ("flate2::", &["source"]),
    ("gimli::", &["symbols"]),
    ("hyper::", &["sink"]),
    ("hyper_rustls::", &["sink"]),
    ("hyper_util::", &["sink"]),
    ("if_addrs::", &["names"]),
    ("jiff::", &["clock"]),
    ("landlock::", &["sandbox"]),
    ("memchr::", &["kernel", "runtime"]),
    ("memmap2::", &["kernel"]),
    ("miniz_oxide::", &["symbols"]),
    ("netlink_packet_core::", &["snapshot"]),
    ("netlink_packet_sock_diag::", &["snapshot"]),
    ("netlink_sys::", &["snapshot"]),
    ("object::", &["runtime"]),
    ("opentelemetry_proto::", &["sink"]),
    ("parquet::", &["export"]),
    ("prost::", &["sink"]),
    ("prometheus::", &["sink"]),
    ("ratatui::", &["top"]),
    ("rusqlite::", &["store"]),
    ("rustc_demangle::", &["symbols"]),
    ("rustls::", &["sink"]),
    ("sd_notify::", &["notify"]),
    ("seccompiler::", &["kernel", "sandbox"]),
    ("syslog_fmt::", &["sink"]),
    ("tonic::", &["sink"]),
    ("zstd::", &["sink", "source"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn modules() -> Vec<String> {
    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let declared = library.lines().filter_map(|line| line.strip_prefix("pub mod "));
    declared.map(|name| name.trim_end_matches(';').to_owned()).collect()
}

/// Every source file with the module it belongs to.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(source()).unwrap();
            let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            let module = first.trim_end_matches(".rs").to_owned();
            if module != "lib" && module != "main" {
                found.push((module, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// Modules of this crate that a text imports, one-line and grouped `use crate::` alike.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, _) in text.match_indices("crate::") {
        let rest = &text[index + "crate::".len()..];
        let group = rest.strip_prefix('{').and_then(|rest| rest.split_once("};"));
        let names = match group {
            Some((inside, _)) => top_level_names(inside),
            None => vec![rest.to_owned()],
        };
        for name in names {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            found.push(name[..end].to_owned());
        }
    }
    found
}

/// The parts of a group that are separated by commas outside inner braces.
fn top_level_names(inside: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = vec![String::new()];
    for character in inside.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ if depth == 0 => names.last_mut().unwrap().push(character),
            _ => {}
        }
    }
    names.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_module_uses_only_those_declared_before_it() {
    let modules = modules();
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut seen = 0;
    for (module, text) in files() {
        let here = place(&module).unwrap_or_else(|| panic!("{module} is not declared in lib.rs"));
        for import in imports(&text) {
            let Some(there) = place(&import) else { continue };
            seen += 1;
            assert!(there <= here, "{module} uses {import}, which comes after it");
        }
    }
    assert!(seen > 20, "the search found hardly any import: it is broken");
}

#[test]
fn every_outside_system_has_one_door() {
    for (krate, doors) in DOORS {
        let users: Vec<String> =
            files().into_iter().filter(|(_, text)| text.contains(krate)).map(|(module, _)| module).collect();
        assert!(!users.is_empty(), "nobody uses {krate}: the list is out of date");
        for user in users {
            assert!(doors.contains(&user.as_str()), "{user} uses {krate}; only {doors:?} may");
        }
    }
}
