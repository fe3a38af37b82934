//! Where a process belongs: container, Kubernetes pod and systemd unit, read from the path of its control group. The
//! paths are conventions of those who make the groups, not an ABI; `tests.rs` is the table of real ones.

mod container;
mod pod;
mod unit;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::event::{Container, Kubernetes, Systemd};

/// Where a process belongs, as far as its control group tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// The control group, below the root of its hierarchy.
    pub path: Option<Arc<str>>,
    /// The innermost container.
    pub container: Option<Arc<Container>>,
    /// Unit, slice and user.
    pub systemd: Option<Arc<Systemd>>,
    /// The innermost pod.
    pub k8s: Option<Arc<Kubernetes>>,
}

impl Placement {
    /// From the text of `/proc/PID/cgroup`: one line of the unified hierarchy (v2), one for each hierarchy of v1, or
    /// both (hybrid). Where they differ, systemd's word is that of the hierarchy systemd uses, and the container is the
    /// innermost one that any of them shows: with the cgroupfs driver only v1 may know of it.
    #[must_use]
    pub fn of_file(text: &str) -> Self {
        let paths = paths(text);
        let mut whole = Self::default();
        let mut depth = 0;
        for path in &paths {
            let placement = Self::of_path(path);
            let here = container::depth(&parts(path));
            if here > depth {
                (depth, whole.container) = (here, placement.container);
            }
            whole.systemd = whole.systemd.or(placement.systemd);
            whole.k8s = whole.k8s.or(placement.k8s);
        }
        // The root says nothing where another hierarchy does.
        let path = paths.iter().find(|path| **path != "/").or(paths.first());
        whole.path = path.and_then(|path| Self::of_path(path).path);
        whole
    }

    /// From the path of a control group, `/` being the root of its hierarchy.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let parts = parts(path);
        Self {
            path: path.starts_with('/').then(|| present(path).into()),
            container: container::of(&parts).map(Arc::new),
            systemd: unit::of(&parts).map(Arc::new),
            k8s: pod::of(&parts).map(Arc::new),
        }
    }
}

/// Without the mark of the kernel on a group that was removed while a process was still about to leave it.
fn present(path: &str) -> &str {
    path.strip_suffix(" (deleted)").unwrap_or(path)
}

/// The names on the way. A group outside of the reader's control group namespace begins with `/..`.
fn parts(path: &str) -> Vec<&str> {
    present(path).split('/').filter(|part| !part.is_empty() && *part != "..").collect()
}

/// The paths in the order in which they are believed: the unified hierarchy, which systemd uses where it is mounted,
/// systemd's own hierarchy of v1, the controllers of v1.
fn paths(text: &str) -> Vec<&str> {
    let mut ranked: Vec<(u8, &str)> = text
        .lines()
        .filter_map(|line| {
            // A path may hold colons, too.
            let mut fields = line.splitn(3, ':');
            let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let rank = match (id, controllers) {
                ("0", "") => 0,
                (_, "name=systemd") => 1,
                _ => 2,
            };
            Some((rank, path))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.dedup();
    ranked.into_iter().map(|(_, path)| path).collect()
}
