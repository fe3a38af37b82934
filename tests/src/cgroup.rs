//! A control group of our own in the unified hierarchy, named as a container's is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// A slice at the top of the hierarchy and a container's scope in it; gone when dropped.
pub struct Group {
    slice: PathBuf,
    scope: PathBuf,
}

impl Group {
    /// Makes the group of a Docker container with this id.
    pub fn of_container(id: &str) -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let point = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(point))
        });
        let point = point.ok_or_else(|| io::Error::other("no unified hierarchy of control groups is mounted"))?;
        let slice = point.join(format!("test{}.slice", std::process::id()));
        let group = Self { scope: slice.join(format!("docker-{id}.scope")), slice };
        fs::create_dir_all(&group.scope)?;
        Ok(group)
    }

    /// Its path below the root of the hierarchy.
    pub fn path(&self) -> String {
        let name = |path: &Path| path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        format!("/{}/{}", name(&self.slice), name(&self.scope))
    }

    /// Name of the slice.
    pub fn slice(&self) -> &str {
        self.slice.file_name().and_then(|name| name.to_str()).expect("a name")
    }

    /// A command whose process is in the group from its first instruction on.
    pub fn hold(&self, command: &Command) -> Command {
        let mut held = Command::new("/bin/sh");
        let procs = self.scope.join("cgroup.procs");
        held.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(procs);
        held.arg(command.get_program()).args(command.get_args());
        held
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.scope);
        let _ = fs::remove_dir(&self.slice);
    }
}
