//! Runtimes of the programs that are installed here, compared with what they say of themselves.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use conn_observer::runtime::detect;
use libtest_mimic::Trial;

use crate::trial;

/// A program, how it is asked for its version, what comes before the number, and what it is.
const PROGRAMS: [(&str, &[&str], &str, &str); 5] = [
    ("go", &["version"], "go version go", "go"),
    ("java", &["-version"], "version \"", "jvm"),
    ("nginx", &["-v"], "nginx/", "nginx"),
    ("node", &["--version"], "v", "node"),
    ("python3", &["--version"], "Python ", "cpython"),
];

/// A program that tells no version in its file.
const CURL: &str = "curl";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = PROGRAMS
        .into_iter()
        .map(|(program, ask, before, name)| {
            let found = executable(program);
            let missing = found.is_none().then(|| format!("{program} is not installed"));
            trial(&format!("{program}_is_{name}_of_its_own_version"), &missing, move || {
                assert_told(&found.unwrap(), ask, before, name);
            })
        })
        .collect();
    let curl = executable(CURL);
    let missing = curl.is_none().then(|| format!("{CURL} is not installed"));
    trials.push(trial("curl_is_curl", &missing, move || {
        let found = told(&curl.unwrap());
        assert_eq!(found, Some((CURL.to_owned(), None)));
    }));
    trials.push(trial("this_test_is_written_in_rust", &None, || {
        let (name, version) = told(&env::current_exe().unwrap()).unwrap();
        assert_eq!(name, "rust");
        assert!(version.is_some_and(|version| version.starts_with("1.")));
    }));
    trials.push(trial("a_shell_is_none_of_them", &None, || {
        assert_eq!(told(&executable("sh").unwrap()), None);
    }));
    trials
}

fn assert_told(executable: &Path, ask: &[&str], before: &str, name: &str) {
    let output = Command::new(executable).args(ask).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let (_, own) = text.split_once(before).unwrap_or_else(|| panic!("{text}"));
    let (found, version) = told(executable).unwrap_or_else(|| panic!("{} is not known", executable.display()));
    assert_eq!(found, name);
    // Python's file is named after the first two numbers.
    let version = version.unwrap();
    let rest = own.strip_prefix(&version).unwrap_or_else(|| panic!("{version} is not {own}"));
    assert!(!rest.starts_with(|next: char| next.is_ascii_digit()), "{version} is not {own}");
}

fn told(executable: &Path) -> Option<(String, Option<String>)> {
    let file = File::open(executable).unwrap();
    detect(&file, executable.to_str().unwrap(), Path::new("/")).map(|runtime| (runtime.name, runtime.version))
}

/// The file that runs, behind all links: as `/proc/PID/exe` names it. The system's own come first, since a version
/// manager puts scripts in their place.
fn executable(name: &str) -> Option<PathBuf> {
    let search = env::var_os("PATH").unwrap_or_default();
    let folders = ["/usr/bin", "/usr/sbin"].map(PathBuf::from).into_iter().chain(env::split_paths(&search));
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file())?;
    fs::canonicalize(found).ok()
}
