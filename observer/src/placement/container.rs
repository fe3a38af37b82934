//! The container of a control group. Docker, containerd, CRI-O and Podman put the id into the name of the group (64 hex
//! digits); LXC and systemd-nspawn call the group after the container.

use crate::event::Container;

/// `PREFIX-ID.scope` (systemd driver), `PREFIX-ID` (cgroupfs driver) and `SLICE:PREFIX:ID` (cgroupfs driver, but asked
/// in the words of the systemd driver). The monitors `libpod-conmon-ID` and `crio-conmon-ID` are outside of their
/// container and do not match, since `conmon-ID` is no id.
const PREFIXES: [(&str, &str); 6] = [
    ("docker", "docker"),
    ("cri-containerd", "containerd"),
    ("nerdctl", "containerd"),
    ("crio", "cri-o"),
    ("libpod", "podman"),
    ("libpod-payload", "podman"), // --cgroups=split, which Quadlet uses
];

/// The innermost container on the way to a control group.
pub(super) fn of(parts: &[&str]) -> Option<Container> {
    (0..parts.len()).rev().find_map(|index| at(parts, index))
}

/// How many containers are within one another there.
pub(super) fn depth(parts: &[&str]) -> usize {
    (0..parts.len()).filter(|index| at(parts, *index).is_some()).count()
}

fn at(parts: &[&str], index: usize) -> Option<Container> {
    let part = parts.get(index)?;
    let before = |distance: usize| index.checked_sub(distance).and_then(|index| parts.get(index)).copied();
    let parent = before(1).unwrap_or_default();
    named(part)
        .or_else(|| below(before(2).unwrap_or_default(), parent, part))
        .or_else(|| lxc(parent, part))
        .or_else(|| machine(part, parts.get(index + 1)?))
}

fn container(id: &str, runtime: &str) -> Container {
    Container { runtime: Some(runtime.to_owned()), ..nameless(id) }
}

/// Of a maker that the path does not tell.
fn nameless(id: &str) -> Container {
    Container { id: id.to_owned(), runtime: None }
}

/// The maker's name is part of the group's.
fn named(part: &str) -> Option<Container> {
    let scope = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = match scope.rsplit_once(':') {
        Some((front, id)) => (front.rsplit_once(':')?.1, id),
        None => scope.rsplit_once('-')?,
    };
    let (_, runtime) = PREFIXES.iter().find(|(known, _)| *known == prefix)?;
    if is_id(id) {
        return Some(container(id, runtime));
    }
    (*runtime == "docker" && is_build_id(id)).then(|| container(id, "buildkit"))
}

/// The folder above tells whose it is. Kubernetes' own folders do not: any runtime works below them.
fn below(grandparent: &str, parent: &str, part: &str) -> Option<Container> {
    match parent {
        "docker" if is_id(part) => Some(container(part, "docker")),
        "buildkit" if is_build_id(part) => Some(container(part, "buildkit")),
        "garden" => Some(container(part, "garden")), // Cloud Foundry
        // AWS Fargate: the id of the task and a number.
        _ if grandparent == "ecs" && is_task_of(parent, part) => Some(nameless(part)),
        _ if is_id(part) => Some(nameless(part)),
        _ => None,
    }
}

/// LXC, LXD and Incus: `/lxc/NAME` before 3.1, `/lxc.payload/NAME` before 4.0, then `/lxc.payload.NAME`. Proxmox VE has
/// kept the first. The monitor is in `lxc.monitor`.
fn lxc(parent: &str, part: &str) -> Option<Container> {
    if let Some(name) = part.strip_prefix("lxc.payload.").filter(|name| !name.is_empty()) {
        return Some(container(name, "lxc"));
    }
    matches!(parent, "lxc" | "lxc.payload").then(|| container(part, "lxc"))
}

/// Scopes and services of systemd-machined, whose names are escaped. A virtual machine is none of ours: libvirt says so
/// in the name, others have no groups of their own below. `supervisor` is systemd-nspawn itself.
fn machine(part: &str, child: &str) -> Option<Container> {
    let scope = part.strip_prefix("machine-").and_then(|name| name.strip_suffix(".scope"));
    let service = part.strip_prefix("systemd-nspawn@").and_then(|name| name.strip_suffix(".service"));
    let name = unescape(scope.or(service)?)?;
    if name.starts_with("qemu-") || child == "supervisor" {
        return None;
    }
    if let Some(domain) = name.strip_prefix("lxc-") {
        // A number that libvirt gives to the running domain, and its name.
        let numbered = domain.split_once('-').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
        return Some(container(numbered.map_or(domain, |(_, name)| name), "libvirt-lxc"));
    }
    (!name.is_empty()).then(|| container(&name, "systemd-nspawn"))
}

/// Undoes the escapes in the name of a unit: `\x2d` is `-`.
fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((front, code)) = rest.split_once("\\x") {
        bytes.extend_from_slice(front.as_bytes());
        bytes.push(u8::from_str_radix(code.get(..2)?, 16).ok()?);
        rest = &code[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An id of BuildKit: 25 digits to base 36.
fn is_build_id(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
}

fn is_task_of(task: &str, part: &str) -> bool {
    let number = part.strip_prefix(task).and_then(|rest| rest.strip_prefix('-'));
    !task.is_empty() && number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}
