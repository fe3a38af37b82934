//! What programs are written in: looked up once for each file.

use std::{collections::HashMap, fs::File, path::PathBuf};

use crate::{
    event::{Process, Runtime},
    processes::{FileId, Image},
    runtime,
};

/// Answers that are kept. Beyond it all are forgotten: looking one up again costs some milliseconds at most.
const MOST: usize = 1_024;

/// Runtimes of executables.
#[derive(Debug, Default)]
pub(super) struct Programs {
    known: HashMap<FileId, Option<Runtime>>,
}

impl Programs {
    /// What the program of a process is written in. None as well when its file is not to be had any more.
    pub(super) fn runtime(&mut self, process: &Process, image: &Image) -> Option<&Runtime> {
        let file = image.file?;
        if !self.known.contains_key(&file) {
            let found = look(process, file)?;
            if self.known.len() == MOST {
                self.known.clear();
            }
            self.known.insert(file, found);
        }
        self.known.get(&file)?.as_ref()
    }
}

/// What the file of a process's program tells; None when it is not to be had.
fn look(process: &Process, file: FileId) -> Option<Option<Runtime>> {
    let path = &process.executable.as_ref()?.path;
    let (executable, root) = open(process.pid, path, file)?;
    Some(runtime::detect(&executable, path, &root))
}

/// The executable, and the root below which its path is meant: through its process, or else, when that is gone, by the
/// path, if it is that file.
fn open(pid: u32, path: &str, file: FileId) -> Option<(File, PathBuf)> {
    let ways = [(format!("/proc/{pid}/exe"), format!("/proc/{pid}/root")), (path.to_owned(), "/".to_owned())];
    ways.into_iter().find_map(|(way, root)| {
        let opened = File::open(way).ok()?;
        FileId::of(&opened.metadata().ok()?).matches(&file).then_some((opened, root.into()))
    })
}
