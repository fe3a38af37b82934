//! What to do about a finding, where cause, runtime and stack tell. The advice is one reviewed table, `table.rs`; a
//! finding that no entry of it is about gets none.

mod table;

#[cfg(test)]
mod tests;

use std::{cell::OnceCell, sync::LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::{
    cause::Cause,
    event::{Attribution, Finding, Hint, Process, Role},
    judge,
};
use table::ENTRIES;

/// The advice for a finding, complete but for it. None where we do not know.
#[must_use]
pub fn of(finding: &Finding) -> Option<Hint> {
    entry(finding).map(|entry| Hint { advice: entry.advice.to_owned(), reference: entry.reference.to_owned() })
}

/// One piece of advice.
struct Entry {
    /// A name for the tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "names an entry in the tests"))]
    name: &'static str,
    /// The causes that it is about.
    causes: &'static [Cause],
    /// What else must be so, all of it.
    when: &'static [When],
    /// What to do, in a sentence or two.
    advice: &'static str,
    /// Where that is documented, in words.
    reference: &'static str,
}

/// Something that a finding shows.
enum When {
    /// The process runs on one of these.
    Runtime(&'static [&'static str]),
    /// It is this script, whatever runs it.
    Script(&'static str),
    /// The name of the thread, of which 15 bytes are known, begins so.
    Thread(&'static [&'static str]),
    /// A function of the user stack, or its file, has one of these in its name.
    Frame(&'static [&'static str]),
    /// Which end of the connection it is.
    End(Role),
    /// The process was exiting.
    Exiting,
    /// What was unread, or came too late, has the size of a TLS alert, and the peer had said that there is no more.
    Farewell,
    /// The process has made the act: now, or by a close before.
    Own,
}

fn entry(finding: &Finding) -> Option<&'static Entry> {
    let names = OnceCell::new();
    let in_stack = |wanted: &[&str]| names.get_or_init(|| NAMES.of(finding)).iter().any(|name| wanted.contains(name));
    ENTRIES.iter().find(|entry| {
        entry.causes.contains(&finding.cause) && entry.when.iter().all(|condition| condition.holds(finding, &in_stack))
    })
}

/// All that [`When::Frame`] looks for, at once: most stacks have none of it, and one by one it would take longer than all else
/// that is found out about a finding.
static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let conditions = ENTRIES.iter().flat_map(|entry| entry.when);
    let known = conditions.filter_map(|condition| if let When::Frame(names) = condition { Some(*names) } else { None });
    let mut names: Vec<&'static str> = known.flatten().copied().collect();
    names.sort_unstable();
    names.dedup();
    // A table of some kilobytes; without one, nothing is found.
    let search = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(&names).ok();
    Names { names, search }
});

struct Names {
    names: Vec<&'static str>,
    search: Option<AhoCorasick>,
}

impl Names {
    /// Those in the user stack of a finding.
    fn of(&self, finding: &Finding) -> Vec<&'static str> {
        let Some(search) = &self.search else { return Vec::new() };
        let frames = finding.stack.iter().flat_map(|stack| &stack.user);
        let texts = frames.flat_map(|frame| frame.symbol.iter().chain(&frame.file));
        let found = texts.flat_map(|text| search.find_overlapping_iter(text));
        found.filter_map(|found| self.names.get(found.pattern().as_usize()).copied()).collect()
    }
}

impl When {
    fn holds(&self, finding: &Finding, in_stack: &dyn Fn(&[&str]) -> bool) -> bool {
        let of_process = |ask: &dyn Fn(&Process) -> bool| finding.process.as_ref().is_some_and(ask);
        match self {
            Self::Runtime(names) => of_process(&|process| {
                process.runtime.as_ref().is_some_and(|runtime| names.contains(&runtime.name.as_str()))
            }),
            Self::Script(name) => of_process(&|process| is_script(process, name)),
            Self::Thread(starts) => {
                of_process(&|process| starts.iter().any(|start| process.thread.name.starts_with(start)))
            }
            Self::Frame(names) => in_stack(names),
            Self::End(role) => finding.network.as_ref().is_some_and(|network| network.role == Some(*role)),
            Self::Exiting => of_process(&|process| process.exiting == Some(true)),
            Self::Farewell => is_farewell(finding),
            Self::Own => {
                of_process(&|process| matches!(process.attribution, Attribution::Current | Attribution::Closer))
            }
        }
    }
}

/// The kernel names a process after the script that was executed. Otherwise its arguments name it: the interpreter, the
/// script or `-m` and the module; or what the program has put in their place (`gunicorn: worker [app]`).
fn is_script(process: &Process, name: &str) -> bool {
    let names = |argument: &String| {
        let program = argument.split([':', ' ']).next().unwrap_or_default();
        program.rsplit('/').next() == Some(name)
    };
    process.comm == name || process.command_args.iter().take(3).any(names)
}

fn is_farewell(finding: &Finding) -> bool {
    let tcp = &finding.tcp;
    match finding.cause {
        Cause::CloseUnread => tcp.fin_received == Some(true) && tcp.unread_bytes.is_some_and(judge::may_be_alert),
        _ => tcp.segment_bytes.is_some_and(judge::may_be_alert),
    }
}
