//! Sockets that hold unread data now: the RSTs to come. One look at every network namespace and every process's files;
//! nothing is traced.

mod diag;
mod holders;
mod holding;
mod state;
mod table;
mod waiting;

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    process::geteuid,
    termios::{isatty, tcgetwinsize},
};

pub use holders::Holder;
pub use waiting::{Connection, Filter, Held, Waiting};

use self::{
    holding::{holding, inodes},
    waiting::told,
};
use crate::{
    clock,
    diagnose::diagnose,
    names::{Names, Peer, ProcessId},
    netns, procfile,
    signals::Signals,
};

/// Longest wait for the name of one peer.
const PATIENCE: Duration = Duration::from_millis(20);

/// Peers whose names are waited for; others have theirs when it is known already.
const PATIENT: usize = 10;

/// How a snapshot is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    Table,
    /// One JSON object a socket.
    Json,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which sockets.
    pub filter: Filter,
    /// How it is told.
    pub format: Format,
    /// Again and again, after so much time.
    pub watch: Option<Duration>,
    /// How often at most.
    pub count: Option<u64>,
}

/// Looks at the sockets, once or until a signal comes; gives the exit status.
///
/// # Errors
/// When nothing can be looked at, or the output cannot be written.
pub fn run(request: &Request) -> Result<u8> {
    let mut names = Names::new(&host(), false, None).context("cannot look for names")?;
    let Some(pause) = request.watch else {
        let look = look(&request.filter, &mut names)?;
        look.blind.tell();
        print(&rendered(&look.waiting, request.format, None)?)?;
        return Ok(0);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(watch(request, pause, &mut names))
}

async fn watch(request: &Request, pause: Duration, names: &mut Names) -> Result<u8> {
    let mut signals = Signals::install(false)?;
    let mut rounds = tokio::time::interval(pause);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0_u64.. {
        if request.count.is_some_and(|count| round >= count) {
            break;
        }
        tokio::select! {
            _ = rounds.tick() => {}
            _ = signals.next_end() => break,
        }
        let look = look(&request.filter, names)?;
        if round == 0 {
            look.blind.tell();
        }
        if !print(&rendered(&look.waiting, request.format, Some(round))?)? {
            break;
        }
    }
    Ok(0)
}

/// What could not be looked at.
#[derive(Debug, Default)]
struct Blind {
    /// The namespaces of other users' processes are not even known.
    strangers: bool,
    namespaces: Vec<(u32, io::Error)>,
    processes: u32,
}

impl Blind {
    fn tell(&self) {
        if self.strangers {
            diagnose("cannot see the network namespaces of other users' processes: root may");
        }
        if let Some((netns, error)) = self.namespaces.first() {
            let others = self.namespaces.len();
            diagnose(format_args!(
                "cannot look into {others} network namespaces, as {netns} ({error}): root, or CAP_SYS_ADMIN, may"
            ));
        }
        if self.processes > 0 {
            diagnose(format_args!(
                "{} processes do not let us see their files, so that some sockets have no process: root may",
                self.processes
            ));
        }
    }
}

struct Look {
    waiting: Vec<Waiting>,
    blind: Blind,
}

/// One look; what waits longest comes first.
fn look(filter: &Filter, names: &mut Names) -> Result<Look> {
    let wanted: BTreeSet<u32> = filter.netns.iter().copied().collect();
    let members = netns::chosen(&wanted);
    if let Some(missing) = wanted.iter().find(|inode| !members.contains_key(inode)) {
        bail!("nobody is in the network namespace {missing}, or it may not be seen: `lsns -t net` lists them");
    }
    let own = netns::own().map(|own| own.inode());
    let first = fs::read_link("/proc/1/ns/net").err();
    let denied = first.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    // Some machines keep process 1 from root, too.
    let strangers = denied && !geteuid().is_root();
    let mut blind = Blind { strangers, ..Blind::default() };
    let mut entries = Vec::new();
    for (inode, member) in members {
        let file = if own == Some(inode) { Ok(None) } else { member.open().map(Some) };
        match file.and_then(|file| diag::sockets(inode, file)) {
            Ok(found) => entries.extend(found),
            Err(error) if own == Some(inode) || wanted.contains(&inode) => {
                return Err(error).with_context(|| format!("cannot read the sockets of network namespace {inode}"));
            }
            // It went away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => blind.namespaces.push((inode, error)),
        }
    }
    let sockets = holding(&entries);
    let found = holders::find(&inodes(&sockets));
    blind.processes = found.unreadable;
    let (time, host, host_netns) = (clock::wall_now(), host(), netns::of_host());
    let tell = |socket| told(socket, &found.holders, filter, (time, &host, host_netns));
    let mut waiting: Vec<Waiting> = sockets.iter().filter_map(tell).collect();
    waiting.sort_by_key(|one| Reverse((one.tcp.last_received_ms, one.tcp.unread_bytes)));
    for (number, one) in waiting.iter_mut().enumerate() {
        name(one, names, if number < PATIENT { PATIENCE } else { Duration::ZERO });
    }
    Ok(Look { waiting, blind })
}

/// Names the peer, where a hosts file or this host itself does.
fn name(waiting: &mut Waiting, names: &mut Names, patience: Duration) {
    let local = Some(waiting.network.local.address);
    let netns = Some(waiting.network.namespace);
    let process = waiting.process.as_ref().and_then(|process| {
        ProcessId::of(process.pid, procfile::start_ns(format!("/proc/{}", process.pid)).unwrap_or(0))
    });
    let Some(end) = &mut waiting.network.peer else { return };
    let now_ns = clock::boot_ns();
    let peer = Peer { address: end.address, local, process, netns, since_ns: now_ns };
    if let Some((name, source)) = names.name_of(&peer, now_ns, patience) {
        end.name = Some(name);
        end.name_source = Some(source);
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The text of a look; on a terminal a later one takes the place of the one before.
fn rendered(waiting: &[Waiting], format: Format, round: Option<u64>) -> Result<String> {
    /// To the upper left corner; the rest of the line, and of the screen, goes.
    const HOME: &str = "\x1b[H";
    const CLEAR: &str = "\x1b[2J";
    const REST_OF_LINE: &str = "\x1b[K\n";
    const REST: &str = "\x1b[J";
    match format {
        Format::Json => {
            let mut text = String::new();
            for one in waiting {
                text.push_str(&serde_json::to_string(one).context("cannot render a socket")?);
                text.push('\n');
            }
            Ok(text)
        }
        Format::Table if !isatty(io::stdout()) => {
            let mut text = table::table(waiting, usize::MAX, usize::MAX);
            if round.is_some() {
                text.push('\n');
            }
            Ok(text)
        }
        Format::Table => {
            let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0);
            let (width, height) = size.map_or((80, 24), |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
            Ok(match round {
                None => table::table(waiting, width, usize::MAX),
                Some(round) => {
                    let text = table::table(waiting, width, height - 1).replace('\n', REST_OF_LINE);
                    format!("{}{HOME}{text}{REST}", if round == 0 { CLEAR } else { "" })
                }
            })
        }
    }
}

/// Writes to standard output; false when its reader has seen enough.
fn print(text: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.context("cannot write to standard output").map(|()| true),
    }
}
