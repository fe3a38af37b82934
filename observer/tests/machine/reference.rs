//! Man pages and completions as those who read them do: groff, bash, zsh and fish.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let tests: [(&str, &str, fn()); 5] = [
        ("every_man_page_is_set_without_a_warning", "groff", pages_are_set),
        ("bash_completes_options_and_their_values", "bash", bash_completes),
        ("bash_completes_in_sub_commands", "bash", bash_completes_in_sub_commands),
        ("zsh_finds_the_completion_by_its_first_line", "zsh", zsh_registers),
        ("fish_completes_options_and_their_values", "fish", fish_completes),
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let tests = tests.into_iter().map(|(name, tool, test)| {
        let found = env::split_paths(&path).any(|folder| folder.join(tool).is_file());
        trial(name, &(!found).then(|| format!("no {tool} on this machine")), test)
    });
    tests.collect()
}

/// What a program prints; a failure shows what it said.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.is_empty(), "{command:?}: {}\n{complaints}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn observer(arguments: &[&str]) -> String {
    output(Command::new(env!("CARGO_BIN_EXE_conn-observer")).args(arguments))
}

/// A folder of one test, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn make(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// The completions of a shell, in a file of this name.
    fn completions(&self, shell: &str, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, observer(&["completions", shell])).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pages_are_set() {
    let folder = Folder::make("pages");
    observer(&["man", "--dir", folder.0.to_str().unwrap()]);
    let mut pages: Vec<PathBuf> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(pages.len() > 3, "{pages:?}");
    for page in pages {
        // Bold and italic as overstrikes, which go away with their backspaces.
        let set = output(Command::new("groff").args(["-ww", "-man", "-Kutf8", "-Tutf8", "-P-cbou"]).arg(&page));
        let name = page.file_stem().unwrap().to_str().unwrap();
        let first = set.lines().find(|line| !line.trim().is_empty()).unwrap();
        assert!(first.starts_with(&format!("{name}(1)")) && first.contains("User Commands"), "{first}");
        assert!(set.contains("SYNOPSIS") && set.contains("SEE ALSO"), "{set}");
    }
}

/// What bash offers for the last of these words, by the function it was told to call.
fn bash(words: &[&str]) -> Vec<String> {
    const SCRIPT: &str = r#"
        source "$1"; shift
        registered=$(complete -p conn-observer) || exit
        [[ $registered =~ -F\ ([^ ]+) ]] || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "${BASH_REMATCH[1]}" conn-observer "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let folder = Folder::make(&format!("bash-{}", words.join("-")));
    let script = folder.completions("bash", "conn-observer.bash");
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-c", SCRIPT, "bash"]).arg(script).args(words);
    output(&mut command).lines().map(str::to_owned).collect()
}

fn bash_completes() {
    assert_eq!(bash(&["conn-observer", "--ca"]), ["--cause"]);
    assert_eq!(bash(&["conn-observer", "--cause", "close_"]), ["close_unread", "close_phantom"]);
    assert_eq!(bash(&["conn-observer", "--format", "t"]), ["text"]);
}

fn bash_completes_in_sub_commands() {
    assert_eq!(bash(&["conn-observer", "doc"]), ["doctor"]);
    assert_eq!(bash(&["conn-observer", "doctor", "--bt"]), ["--btf"]);
    assert_eq!(bash(&["conn-observer", "completions", "f"]), ["fish"]);
}

fn zsh_registers() {
    let folder = Folder::make("zsh");
    let script = folder.completions("zsh", "_conn-observer");
    output(Command::new("zsh").args(["-f", "-n"]).arg(script));
    let ask = "fpath=($1 $fpath); autoload -Uz compinit; compinit -u -d $1/dump; print $_comps[conn-observer]";
    let found = output(Command::new("zsh").args(["-f", "-c", ask, "zsh"]).arg(&folder.0));
    assert_eq!(found.trim(), "_conn-observer");
}

fn fish_completes() {
    let folder = Folder::make("fish");
    let script = folder.completions("fish", "conn-observer.fish");
    let fish = |line: &str| {
        let mut command = Command::new("fish");
        command.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(&script).arg(line);
        let text = output(command.env("HOME", &folder.0));
        let words = text.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    assert_eq!(fish("conn-observer --caus"), ["--cause"]);
    assert_eq!(fish("conn-observer --cause close_"), ["close_phantom", "close_unread"]);
    assert_eq!(fish("conn-observer --pid 4242 --format "), ["json", "text"]);
    assert_eq!(fish("conn-observer doctor --bt"), ["--btf"]);
}
