//! The sandbox against this kernel. Each test starts this very executable again, as a process that enters the sandbox and
//! then tries things: what is denied, and beside it something of the same kind that is not.

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use conn_observer::{
    options::Sandboxing,
    sandbox::{Needs, Offer, Sandbox},
};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use self::acts::{Outcome, attempt};
use crate::trial;

mod acts;

/// The first argument of such a process; the second is what it is told, as JSON.
pub(crate) const FLAG: &str = "--sandboxed";

pub(crate) fn trials() -> Vec<Trial> {
    let offer = Offer::read();
    let missing = offer.missing();
    let no_landlock = (!missing.is_empty()).then(|| format!("this kernel's Landlock lacks {}", missing.join(", ")));
    let no_seccomp = (!offer.seccomp).then(|| "this kernel filters no system calls".to_owned());
    let not_root = (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned());
    let all = no_landlock.clone().or(no_seccomp.clone());
    vec![
        trial("sandbox::an_observer_at_work_starts_nothing_and_touches_nobody", &no_seccomp, starts_nothing),
        trial("sandbox::sockets_are_those_that_the_run_needs", &no_seccomp, sockets),
        trial("sandbox::outputs_write_to_their_folders_only", &all, folders),
        trial("sandbox::outputs_use_their_ports_only", &all, ports),
        trial("sandbox::a_thread_under_landlock_cannot_look_at_other_processes", &all.clone().or(not_root), processes),
        trial("sandbox::a_thread_that_runs_already_is_a_fault", &None, early_thread),
        trial("sandbox::strict_ends_where_the_kernel_refuses", &None, strict),
    ]
}

/// What the process is told to do.
#[derive(Default)]
struct Told<'a> {
    mode: &'a str,
    needs: Value,
    /// A folder that it may use, one that it may not, ports likewise.
    places: Value,
    early_thread: bool,
    unprivileged: bool,
}

/// What each act came to, by its name. Those of a thread under Landlock begin with `landlock: `.
fn tell(told: &Told<'_>) -> BTreeMap<String, Outcome> {
    let told_json = json!({
        "mode": told.mode, "needs": told.needs, "places": told.places, "early_thread": told.early_thread,
        "unprivileged": told.unprivileged, "parent": std::process::id(),
    });
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([FLAG, &told_json.to_string()]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?}: {text}", output.status);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn assert_all(found: &BTreeMap<String, Outcome>, prefix: &str, names: &[&str], expected: &str) {
    for name in names {
        assert_eq!(found.get(&format!("{prefix}{name}")).map(String::as_str), Some(expected), "{name} in {found:#?}");
    }
}

fn starts_nothing() {
    let found = tell(&Told { mode: "best-effort", ..Told::default() });
    let denied = [
        "exec",
        "fork",
        "process by clone",
        "ptrace",
        "signal to another",
        "memory of another",
        "bpf: load",
        "new user namespace",
        "writable code",
        "code made executable",
        "other user",
        "mode of own file",
        "io_uring",
        "perf event",
        "terminal input",
        "affinity of another",
        "limits of another",
        "keys",
    ];
    assert_all(&found, "", &denied, "EPERM");
    assert_all(&found, "", &["clone3", "x32", "a call of the future"], "ENOSYS");
    let allowed =
        ["thread", "signal to itself", "writable memory", "write own file", "own affinity", "own limits", "addresses"];
    assert_all(&found, "", &allowed, "ok");
    assert_eq!(found["bpf: read a map"], "EBADF", "it reaches the kernel: {found:#?}");
    let found = tell(&Told { mode: "off", ..Told::default() });
    let harmless = ["exec", "fork", "thread", "writable code", "mode of own file", "signal to another"];
    assert_all(&found, "", &harmless, "ok");
}

fn sockets() {
    let found = tell(&Told { mode: "best-effort", ..Told::default() });
    assert_all(
        &found,
        "",
        &["ip socket", "ipv6 socket", "unix socket", "packet socket", "netlink: sock_diag"],
        "EPERM",
    );
    let needs = json!({"unix": true, "connect": [1]});
    let found = tell(&Told { mode: "best-effort", needs, ..Told::default() });
    assert_all(&found, "", &["ip socket", "ipv6 socket", "unix socket", "addresses"], "ok");
    assert_all(&found, "", &["packet socket", "netlink: sock_diag"], "EPERM");
}

/// Two folders, the first of which outputs may use.
struct Folders([PathBuf; 2]);

impl Folders {
    fn new(test: &str) -> Self {
        let top = env::temp_dir().join(format!("conn-observer-sandbox-{test}-{}", std::process::id()));
        let folders = ["own", "other"].map(|name| top.join(name));
        for folder in &folders {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("old"), "old").unwrap();
        }
        Self(folders)
    }

    fn json(&self) -> Value {
        json!({"own": self.0[0], "other": self.0[1]})
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0[0].parent().unwrap());
    }
}

fn folders() {
    let folders = Folders::new("folders");
    let needs = json!({"write": [folders.0[0]]});
    let found = tell(&Told { mode: "best-effort", needs, places: folders.json(), ..Told::default() });
    let acts = ["create", "append", "read", "truncate", "rename", "remove"].map(|act| format!("landlock: {act}"));
    for act in &acts {
        assert_eq!(found[&format!("{act} in own")], "ok", "{found:#?}");
        assert_eq!(found[&format!("{act} in other")], "EACCES", "{found:#?}");
    }
    assert_all(
        &found,
        "landlock: ",
        &["make a folder in own", "link in own", "read secrets", "list root's home"],
        "EACCES",
    );
    assert_all(&found, "landlock: ", &["read hosts", "read a library"], "ok");
    assert_eq!(found["landlock: capabilities"], "0", "{found:#?}");
}

fn ports() {
    let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // A port that was free a moment ago.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let folders = Folders::new("ports");
    let path = folders.0[0].join("socket");
    let unix = (UnixListener::bind(&path).unwrap(), listen_abstract());
    let needs = json!({"connect": [port(&own)], "bind": [free], "unix": true});
    let places = json!({"port": port(&own), "other port": port(&other), "free": free, "socket": path});
    let found = tell(&Told { mode: "best-effort", needs, places, ..Told::default() });
    assert_all(&found, "landlock: ", &["connect to own port", "listen at own port", "unix socket by path"], "ok");
    assert_all(&found, "landlock: ", &["connect to other port", "listen at another port"], "EACCES");
    assert_eq!(found["landlock: abstract unix socket"], "EPERM", "{found:#?}");
    drop(unix);
}

/// Why not every thread is under Landlock (step 7 of the order). If a kernel ever answers otherwise, more can be done.
fn processes() {
    let found = tell(&Told { mode: "best-effort", ..Told::default() });
    let files = ["exe of another", "root of another", "namespace of another", "maps of another"];
    assert_all(&found, "", &files, "ok");
    assert_all(&found, "landlock: ", &files, "EACCES");
}

fn early_thread() {
    let found = tell(&Told { mode: "best-effort", early_thread: true, ..Told::default() });
    assert!(found["enter"].contains("thread early was started before"), "{found:#?}");
}

fn strict() {
    // Without CAP_SETPCAP the bounding set stays.
    let found = tell(&Told { mode: "strict", unprivileged: true, ..Told::default() });
    assert!(found["enter"].contains("--sandbox strict") && found["enter"].contains("CAP_SETPCAP"), "{found:#?}");
    let found = tell(&Told { mode: "best-effort", unprivileged: true, ..Told::default() });
    assert_eq!(found["enter"], "ok");
    assert!(found["refused"].contains("CAP_SETPCAP"), "{found:#?}");
    assert_all(&found, "", &["exec"], "EPERM");
}

/// The process: enters the sandbox, tries everything, and prints what came of it as JSON.
pub(crate) fn main(told: &str) -> ExitCode {
    let told: Value = serde_json::from_str(told).unwrap();
    let mode = match told["mode"].as_str().unwrap() {
        "strict" => Sandboxing::Strict,
        "off" => Sandboxing::Off,
        _ => Sandboxing::BestEffort,
    };
    let ports = |name: &str| told["needs"][name].as_array().into_iter().flatten().map(number_u16).collect();
    let needs = Needs {
        write: told["needs"]["write"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|path| path.as_str().unwrap().into())
            .collect(),
        connect: ports("connect"),
        bind: ports("bind"),
        unix: told["needs"]["unix"] == true,
        ..Needs::default()
    };
    if told["unprivileged"] == true && rustix::process::geteuid().is_root() {
        let nobody = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
    }
    // What the filters forbid to make.
    let before = acts::Prepared::new();
    let (release, held) = std::sync::mpsc::channel::<()>();
    if told["early_thread"] == true {
        let (ready, named) = std::sync::mpsc::channel();
        let early = std::thread::Builder::new().name("early".to_owned());
        early
            .spawn(move || {
                ready.send(()).unwrap();
                held.recv()
            })
            .unwrap();
        named.recv().unwrap();
    }
    let mut found = BTreeMap::new();
    match Sandbox::enter(mode, None, &needs, || true) {
        Ok(sandbox) => {
            found.insert("enter".to_owned(), "ok".to_owned());
            found.insert("refused".to_owned(), sandbox.state.refused.join("; "));
            let parent = told["parent"].as_u64().unwrap() as u32;
            let mut note = |name: &str, outcome: Outcome| drop(found.insert(name.to_owned(), outcome));
            acts::harmless(&before, parent, &mut note);
            if mode != Sandboxing::Off {
                acts::harmful(parent, &mut note);
            }
            if let Some(rules) = sandbox.rules().unwrap() {
                let places = told["places"].clone();
                let confined = move || {
                    rules.enter().unwrap();
                    let mut found = BTreeMap::new();
                    in_confinement(parent, &places, &mut found);
                    found
                };
                let confined = std::thread::spawn(confined).join().unwrap();
                found.extend(confined.into_iter().map(|(name, outcome)| (format!("landlock: {name}"), outcome)));
            }
        }
        Err(error) => drop(found.insert("enter".to_owned(), format!("{error:#}"))),
    }
    drop(release);
    println!("{}", serde_json::to_string(&found).unwrap());
    ExitCode::SUCCESS
}

fn number_u16(value: &Value) -> u16 {
    value.as_u64().unwrap().try_into().unwrap()
}

/// What a thread tries that the outside talks to.
fn in_confinement(parent: u32, places: &Value, found: &mut BTreeMap<String, Outcome>) {
    let mut note = |name: &str, outcome: Outcome| drop(found.insert(name.to_owned(), outcome));
    for place in ["own", "other"] {
        let Some(folder) = places[place].as_str().map(Path::new) else { continue };
        let old = folder.join("old");
        note(&format!("create in {place}"), attempt(|| fs::write(folder.join("new"), "new")));
        note(&format!("append in {place}"), attempt(|| fs::File::options().append(true).open(&old)));
        note(&format!("read in {place}"), attempt(|| fs::read(&old)));
        note(&format!("truncate in {place}"), attempt(|| fs::File::create(&old)));
        note(&format!("make a folder in {place}"), attempt(|| fs::create_dir(folder.join("folder"))));
        note(&format!("link in {place}"), attempt(|| std::os::unix::fs::symlink("/etc/shadow", folder.join("link"))));
        note(&format!("rename in {place}"), attempt(|| fs::rename(&old, folder.join("old.1"))));
        let last = if folder.join("old.1").exists() { "old.1" } else { "old" };
        note(&format!("remove in {place}"), attempt(|| fs::remove_file(folder.join(last))));
    }
    note("read hosts", attempt(|| fs::read("/etc/hosts")));
    note("read a library", attempt(|| fs::read_dir("/usr/lib")));
    note("read secrets", attempt(|| fs::read("/proc/1/environ")));
    note("list root's home", attempt(|| fs::read_dir("/root")));
    let connect = |port: &str| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, places[port].as_u64().unwrap_or(1) as u16));
        attempt(|| TcpStream::connect(address))
    };
    note("connect to own port", connect("port"));
    note("connect to other port", connect("other port"));
    let free = places["free"].as_u64().unwrap_or(1) as u16;
    note("listen at own port", attempt(|| TcpListener::bind((Ipv4Addr::LOCALHOST, free))));
    note(
        "listen at another port",
        attempt(|| TcpListener::bind((Ipv4Addr::LOCALHOST, free.wrapping_add(1).max(1_025)))),
    );
    if let Some(path) = places["socket"].as_str() {
        note("unix socket by path", attempt(|| UnixStream::connect(path)));
        note("abstract unix socket", acts::abstract_socket(parent));
    }
    acts::of_proc(parent, &mut note);
    let held = rustix::thread::capabilities(None).unwrap();
    note("capabilities", held.permitted.bits().to_string());
}

/// An abstract socket outside of the sandbox: of the test itself.
fn listen_abstract() -> UnixDatagram {
    use std::os::linux::net::SocketAddrExt as _;
    let name = acts::abstract_name(std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    UnixDatagram::bind_addr(&address).unwrap()
}
