//! The Kubernetes pod of a control group, as the kubelet names it: with the cgroupfs driver
//! `/kubepods/QOS/podUID`, with the systemd driver `kubepods-QOS-podUID.slice`. Guaranteed pods are named without their
//! class of service.

use crate::event::Kubernetes;

/// Longest UID believed; those of Kubernetes have 36 or 32 characters.
const LONGEST: usize = 64;

/// The innermost pod on the way to a control group.
pub(super) fn of(parts: &[&str]) -> Option<Kubernetes> {
    (0..parts.len()).rev().find_map(|index| at(parts, index))
}

fn at(parts: &[&str], index: usize) -> Option<Kubernetes> {
    // `SLICE:PREFIX:ID` is a container of that slice.
    let name = parts.get(index)?.split(':').next()?;
    let name = name.strip_suffix(".slice").unwrap_or(name);
    if let Some(uid) = name.strip_prefix("pod") {
        let before = |distance: usize| index.checked_sub(distance).and_then(|index| parts.get(index)).copied();
        return match (before(2), before(1)?) {
            (_, "kubepods") => pod(uid, "guaranteed"),
            (Some("kubepods"), class @ ("burstable" | "besteffort")) => pod(uid, class),
            _ => None,
        };
    }
    // A --cgroup-root comes before: `kubelet-kubepods-…` in kind.
    let (root, rest) = name.split_once("kubepods-")?;
    if !root.is_empty() && !root.ends_with('-') {
        return None;
    }
    if let Some(uid) = rest.strip_prefix("pod") {
        return pod(uid, "guaranteed");
    }
    let (class @ ("burstable" | "besteffort"), uid) = rest.split_once("-pod")? else { return None };
    pod(uid, class)
}

/// Names of slices have `_` where the UID has `-`. The UID of a static pod is a hash of 32 digits without any.
fn pod(uid: &str, class: &str) -> Option<Kubernetes> {
    let plausible = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let valid = !uid.is_empty() && uid.len() <= LONGEST && uid.bytes().all(plausible);
    valid.then(|| Kubernetes { pod_uid: uid.replace('_', "-"), qos_class: class.to_owned() })
}
