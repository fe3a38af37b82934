//! What to do about a finding, where cause, runtime and stack tell. The advice is one reviewed table, `table.rs`; a
//! finding that no entry of it is about gets none.

mod table;
mod words;

#[cfg(test)]
mod tests;

use crate::{
    cause::Cause,
    event::{Attribution, Finding, Hint, Process, Role},
    judge,
};
use table::ENTRIES;
use words::Searched;

/// The advice for a single finding, complete but for it. None where we do not know.
#[must_use]
pub fn of(finding: &Finding) -> Option<Hint> {
    Advisor::default().hint(finding)
}

/// Gives advice on many findings. Remembers what it has found in stacks, which events share.
#[derive(Debug, Default)]
pub struct Advisor {
    searched: Searched,
}

impl Advisor {
    /// The advice for a finding, complete but for it. None where we do not know.
    pub fn hint(&mut self, finding: &Finding) -> Option<Hint> {
        let entry = entry(finding, &mut self.searched)?;
        Some(Hint { advice: entry.advice.into(), reference: entry.reference.into() })
    }
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

fn entry(finding: &Finding, searched: &mut Searched) -> Option<&'static Entry> {
    let mut words = None;
    let mut in_stack = |wanted: &[&str]| words.get_or_insert_with(|| searched.words(finding)).has(wanted);
    ENTRIES.iter().find(|entry| {
        entry.causes.contains(&finding.cause)
            && entry.when.iter().all(|condition| condition.holds(finding, &mut in_stack))
    })
}

impl When {
    fn holds(&self, finding: &Finding, in_stack: &mut dyn FnMut(&[&str]) -> bool) -> bool {
        let of_process = |ask: &dyn Fn(&Process) -> bool| finding.process.as_deref().is_some_and(ask);
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
