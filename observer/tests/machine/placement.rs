//! Placement against the real hierarchy: a control group of our own with a process in it, named as a container's is.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use conn_observer::{cgroup, placement::Placement};
use libtest_mimic::Trial;

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let missing = Group::make("probe").and_then(|group| group.remove()).err();
    let missing = missing.map(|reason| format!("no control group can be made here: {reason}"));
    vec![
        trial("a_process_is_placed_alike_by_its_file_and_by_its_group_also_when_it_is_gone", &missing, process),
        trial("the_root_has_an_id_and_a_file_has_none", &missing, root),
    ]
}

const ID: &str = "2a55517bd2c9f85d2e1911cb4cd0840a4aa299513af411fb437c0661dd88d11b";

/// A slice at the top of the unified hierarchy, and a container's scope in it; gone when dropped.
struct Group {
    slice: PathBuf,
    scope: PathBuf,
}

impl Group {
    fn make(name: &str) -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let point = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| point.to_owned())
        });
        let point = point.ok_or_else(|| io::Error::other("no unified hierarchy of control groups is mounted"))?;
        let slice = PathBuf::from(point).join(format!("{name}{}.slice", std::process::id()));
        let group = Self { scope: slice.join(format!("docker-{ID}.scope")), slice };
        fs::create_dir(&group.slice)?;
        fs::create_dir(&group.scope)?;
        Ok(group)
    }

    fn id(&self) -> u64 {
        fs::metadata(&self.scope).unwrap().ino()
    }

    fn path(&self) -> String {
        format!("/{}/docker-{ID}.scope", self.slice.file_name().unwrap().to_str().unwrap())
    }

    /// A process that waits in it for the end of its input.
    fn occupy(&self) -> Child {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        fs::write(self.scope.join("cgroup.procs"), child.id().to_string()).unwrap();
        child
    }

    fn remove(&self) -> io::Result<()> {
        fs::remove_dir(&self.scope)?;
        fs::remove_dir(&self.slice)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn process() {
    let group = Group::make("placement").unwrap();
    let id = group.id();
    let mut process = group.occupy();
    let text = fs::read_to_string(format!("/proc/{}/cgroup", process.id())).unwrap();
    let placed = Placement::of_file(&text);
    assert_eq!(placed.path, Some(group.path().into()));
    let container = placed.container.clone().unwrap();
    assert_eq!((container.id.as_str(), container.runtime.as_deref()), (ID, Some("docker")));
    assert_eq!(cgroup::path_of(id).as_deref(), placed.path.as_deref());
    assert_eq!(cgroup::id_of(&group.path()), Some(id));

    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    let path = cgroup::path_of(id).unwrap();
    assert_eq!(Placement::of_path(&path), Placement { systemd: placed.systemd.clone(), ..placed });

    group.remove().unwrap();
    assert_eq!(cgroup::path_of(id), None, "the group is gone");
}

fn root() {
    let group = Group::make("root").unwrap();
    let root = fs::metadata(group.slice.parent().unwrap()).unwrap().ino();
    assert_eq!(cgroup::path_of(root).as_deref(), Some("/"));
    assert_eq!(cgroup::id_of("/"), Some(root));
    let file = fs::metadata(group.scope.join("cgroup.procs")).unwrap().ino();
    assert_eq!(cgroup::path_of(file), None);
    assert_eq!(cgroup::path_of(0), None);
    assert_eq!(cgroup::path_of(u64::MAX), None);
}
