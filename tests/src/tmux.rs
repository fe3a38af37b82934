//! A program on the screen of a real terminal: tmux, with a shell in it.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Pid;

use crate::deadline::until;

/// What the shell says when it waits for a command.
const PROMPT: &str = "shell>";

/// A terminal of tmux's, with a server of its own that ends with it.
pub struct Tmux {
    server: String,
}

impl Tmux {
    /// A shell in a terminal of this size.
    pub fn shell(width: u16, height: u16) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tmux = Self { server: format!("conn-observer-{}-{number}", std::process::id()) };
        let (width, height) = (width.to_string(), height.to_string());
        let size = ["new-session", "-d", "-x", &width, "-y", &height];
        tmux.command(&[&size[..], &["env", "-u", "ENV", &format!("PS1={PROMPT} "), "sh", "-i"]].concat());
        tmux.wait(&[PROMPT]);
        tmux
    }

    /// Writes a line, and presses Enter.
    pub fn enter(&self, line: &str) {
        self.command(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    /// Presses keys, by tmux's names.
    pub fn press(&self, keys: &[&str]) {
        self.command(&[&["send-keys"], keys].concat());
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.command(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows all of these.
    pub fn wait(&self, words: &[&str]) {
        let mut screen = String::new();
        let shows = || {
            screen = self.screen();
            words.iter().all(|word| screen.contains(word))
        };
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| until(&format!("{words:?}"), shows)));
        assert!(waited.is_ok(), "{words:?} are not on the screen:\n{screen}");
    }

    /// Waits for the program that the shell runs, and gives its process id.
    pub fn program(&self) -> Pid {
        let mut program = None;
        until("the shell to run a program", || {
            program = self.child();
            program.is_some()
        });
        program.expect("just found")
    }

    fn child(&self) -> Option<Pid> {
        let shell = self.command(&["display-message", "-p", "#{pane_pid}"]);
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", shell.trim())).expect("children");
        Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
    }

    /// Waits until the shell has the terminal again as it gave it: the first screen, a cursor, lines that are echoed.
    pub fn wait_for_shell(&self) {
        until("the program to end", || self.child().is_none());
        until("the first screen and a cursor", || {
            self.command(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim() == "0 1"
        });
        self.enter("stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig|opost|icrnl'; echo \"status $?\"");
        // What is written before the shell prompts stands before its prompt.
        self.wait(&["5\nstatus 0\n"]);
    }

    fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.server, "-f", "/dev/null"]).args(words);
        // Inside another tmux it would ask that one.
        command.env_remove("TMUX").env("TERM", "xterm-256color").stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().expect("tmux");
        assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).into_owned()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.server, "kill-server"]).env_remove("TMUX").output();
    }
}
