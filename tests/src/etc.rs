//! Files of `/etc` for the calling thread and the programs that it starts: a private mount namespace, in which others
//! stand in their places.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

use rustix::mount::{UnmountFlags, mount_bind, unmount};

use crate::mounts::Mounts;

/// The replaced files. Like a [`crate::netns::Netns`], they belong to the thread.
pub struct Etc {
    folder: PathBuf,
    _mounts: Mounts,
}

impl Etc {
    /// A private copy of all mounts; no file is replaced yet.
    pub fn private() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mounts = Mounts::private()?;
        let name = format!("conn-observer-etc-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, _mounts: mounts })
    }

    /// What `/etc/NAME` holds from now on.
    pub fn set(&self, name: &str, text: &str) {
        let (file, place) = (self.folder.join(name), PathBuf::from("/etc").join(name));
        let replaced = file.exists();
        fs::write(&file, text).expect("a file");
        if !replaced {
            mount_bind(&file, &place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        }
    }

    /// Names are looked up in `/etc/hosts`, which knows the loopback only, then asked from these servers.
    pub fn resolve_by(&self, servers: &[&str]) {
        let lines: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        self.set("resolv.conf", &(lines + "options timeout:5 attempts:1\n"));
        self.set("nsswitch.conf", "hosts: files dns\n");
        self.set("hosts", "127.0.0.1 localhost\n::1 localhost\n");
    }

    /// Takes every tree of control groups v2 away.
    pub fn without_cgroup2(&self) {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        let cgroup2 = mounts.lines().filter(|line| line.contains(" - cgroup2 "));
        for point in cgroup2.filter_map(|line| line.split(' ').nth(4)) {
            unmount(point, UnmountFlags::DETACH).expect(point);
        }
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
