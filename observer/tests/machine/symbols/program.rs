//! Programs that tell their own stack: a line of addresses, the innermost first, which may be followed by `top` and words
//! of the stack. Then they wait to be told to end.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use conn_observer::{
    processes::FileId,
    procfile,
    symbols::{Executable, Request},
};

/// A folder for a test's files, removed at its end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("symbols-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Runs a command in the folder.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program).args(arguments).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that has told its stack.
pub(crate) struct Told {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) addresses: Vec<u64>,
    pub(crate) top: Vec<u64>,
    pub(crate) start_ns: u64,
    pub(crate) text: (u64, u64),
    pub(crate) executable: Executable,
}

impl Told {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (addresses, top) = read(&mut output);
        let folder = PathBuf::from(format!("/proc/{}", child.id()));
        let stat = |field| procfile::stat(&folder, field).unwrap();
        let path = folder.join("exe");
        let metadata = fs::metadata(&path).unwrap();
        let executable = Executable { path: fs::read_link(&path).unwrap().into(), file: Some(FileId::of(&metadata)) };
        Self {
            addresses,
            top,
            start_ns: stat(22) * procfile::TICK_NS,
            text: (stat(26), stat(27)),
            executable,
            child,
            output,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            pid: self.pid(),
            start_ns: self.start_ns,
            executable: Some(&self.executable),
            text_start: self.text.0,
            text_end: self.text.1,
            addresses: &self.addresses,
            top: &self.top,
        }
    }

    /// Has it tell another stack.
    pub(crate) fn again(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        (self.addresses, self.top) = read(&mut self.output);
    }

    /// Ends it. What it was is still known.
    pub(crate) fn end(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut BufReader<ChildStdout>) -> (Vec<u64>, Vec<u64>) {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let words = |text: &str| text.split_whitespace().map(|word| u64::from_str_radix(word, 16).unwrap()).collect();
    let (addresses, top) = line.split_once("top").unwrap_or((&line, ""));
    (words(addresses), words(top))
}
