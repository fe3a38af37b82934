//! Mounts of the calling thread and of the programs that it starts from then on.

use std::ffi::CString;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount};
use rustix::thread::UnshareFlags;

/// A private copy of all mounts. Like a [`crate::netns::Netns`], it belongs to the thread.
pub struct Mounts(PhantomData<*const ()>);

impl Mounts {
    /// From here on the calling thread has one.
    pub fn private() -> io::Result<Self> {
        // SAFETY: only the calling thread's mounts change, and its root and working directory, which it no longer shares
        // with others.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        Ok(Self(PhantomData))
    }

    /// A disk of so many bytes, in memory, over a folder: what was in it is hidden.
    pub fn disk(&self, folder: &Path, size: u64, flags: MountFlags) -> Disk<'_> {
        let data = CString::new(format!("size={size},mode=755")).expect("no NUL");
        mount("tmpfs", folder, "tmpfs", flags, Some(data.as_c_str())).expect("a file system in memory");
        Disk { folder: folder.to_owned(), data, _mounts: self }
    }
}

/// A mounted disk. What it holds goes with it.
#[must_use = "dropped, it is no longer there"]
pub struct Disk<'a> {
    folder: PathBuf,
    data: CString,
    _mounts: &'a Mounts,
}

impl Disk<'_> {
    /// Mounts it anew, with these flags.
    pub fn remount(&self, flags: MountFlags) {
        mount_remount(&self.folder, flags, self.data.as_c_str()).expect("remounted");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // The folder can be removed then; programs that still run keep theirs.
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
    }
}
