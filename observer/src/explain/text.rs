//! The story as text.

use super::{
    Story,
    course::{milliseconds, named},
};
use crate::{
    cause::Cause,
    event::{Attribution, CauseSource, Finding, Stack},
    message::thousands,
    render::{self, printable},
};

/// Columns of the text.
const WIDTH: usize = 100;

/// Columns of the first word of a line of a list.
const LABEL: usize = 12;

/// Frames of a kernel stack that are told.
const KERNEL: usize = 8;

pub(super) fn of(story: &Story) -> String {
    let mut text = String::new();
    let Some(finding) = story.event.body.finding() else { return text };
    head(&mut text, story, finding);
    course(&mut text, story);
    why(&mut text, story, finding);
    who(&mut text, finding);
    line(&mut text, finding);
    advice(&mut text, story);
    other_end(&mut text, story, finding);
    often(&mut text, story);
    text
}

fn head(text: &mut String, story: &Story, finding: &Finding) {
    let event = &story.event;
    wrapped(text, "", &event.message().to_string());
    let time = event.time.to_string().replace('T', " ");
    let facts = [
        format!("{} {}", finding.severity, finding.cause),
        format!("{}/{}", event.host.name, event.seq),
        format!("{} UTC", time.trim_end_matches('Z')),
    ];
    wrapped(text, "", &facts.join(", "));
}

fn course(text: &mut String, story: &Story) {
    section(text, "What happened");
    for step in &story.course {
        let at = step.at_ms.map_or_else(String::new, |at| match at {
            0.0 => "0".to_owned(),
            _ => format!("{}{}", if at > 0.0 { "+" } else { "" }, milliseconds(at)),
        });
        entry(text, &format!("{at:>LABEL$}"), &step.what);
    }
}

fn why(text: &mut String, story: &Story, finding: &Finding) {
    section(text, if finding.tcp.reset_sent { "Why the kernel sent RST" } else { "Why" });
    wrapped(text, "  ", story.why.rule);
    entry(text, "decided in", story.why.functions);
    if let Some(counter) = story.why.counter {
        entry(text, "counted as", counter);
    }
    let reason = finding.tcp.kernel_reason.as_deref();
    let came_in = matches!(finding.cause, Cause::ResetByPeer | Cause::ConnectionRefused);
    let known = match (finding.cause_source, reason) {
        _ if came_in => "the RST that came in".to_owned(),
        (CauseSource::Both, Some(reason)) => format!("the state of the socket, and the kernel's reason {reason}"),
        (CauseSource::Kernel, Some(reason)) => format!("the kernel's reason {reason}"),
        (CauseSource::Both, None) => "the state of the socket and the kernel, which agree".to_owned(),
        (CauseSource::Kernel, None) => "the kernel's reason".to_owned(),
        (CauseSource::Predicted, _) => "the state of the socket; this kernel gives no reason of its own".to_owned(),
    };
    entry(text, "known by", &known);
    if finding.tcp.disagreement == Some(true) {
        entry(text, "doubt", "the kernel's reason contradicts the state of the socket; please report it");
    }
    entry(text, "see", story.why.reference);
}

fn who(text: &mut String, finding: &Finding) {
    section(text, "Who");
    let Some(process) = &finding.process else {
        wrapped(
            text,
            "  ",
            "Nobody knows: the act was not a process's own, and no owner of the connection is remembered.",
        );
        return;
    };
    let exiting = if process.exiting == Some(true) { ", exiting" } else { "" };
    entry(text, "process", &format!("{}{exiting}", named(process)));
    if process.tid != process.pid || process.thread.name != process.comm {
        entry(text, "thread", &format!("{}[{}]", process.thread.name, process.tid));
    }
    let part = match process.attribution {
        Attribution::Current => "made the act itself",
        Attribution::Closer => "had closed the connection before",
        Attribution::Owner => "connected, accepted or read the connection",
        Attribution::Listener => "made the listener; nobody was seen to accept",
    };
    entry(text, "its part", part);
    if let Some(program) = &process.executable {
        let gone = if program.deleted == Some(true) { " (deleted or replaced since)" } else { "" };
        entry(text, "program", &format!("{}{gone}", program.path));
    }
    if let Some(runtime) = &process.runtime {
        entry(text, "runs on", &format!("{} {}", runtime.name, runtime.version.as_deref().unwrap_or_default()));
    }
    if !process.command_args.is_empty() {
        let cut = if process.args_truncated == Some(true) { " …" } else { "" };
        entry(text, "command", &format!("{}{cut}", process.command_args.join(" ")));
    }
    let user = process.user.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    entry(text, "user", &format!("{}{user}", process.user.id));
    if let Some(start) = &process.start_time {
        entry(text, "started", &start.to_string());
    }
    if !process.parents.is_empty() {
        let parents: Vec<String> =
            process.parents.iter().map(|parent| format!("{}[{}]", parent.comm, parent.pid)).collect();
        entry(text, "parents", &parents.join(" < "));
    }
    place(text, finding);
    if let Some(owner) = &finding.owner {
        entry(text, "held by", &named(owner));
    }
}

fn place(text: &mut String, finding: &Finding) {
    if let Some(systemd) = &finding.systemd
        && let Some(unit) = systemd.user_unit.as_ref().or(systemd.unit.as_ref())
    {
        entry(text, "unit", unit);
    }
    if let Some(container) = &finding.container {
        entry(text, "container", &format!("{} {}", container.id, container.runtime.as_deref().unwrap_or_default()));
    }
    if let Some(pod) = &finding.k8s {
        entry(text, "pod", &format!("{} ({})", pod.pod_uid, pod.qos_class));
    }
    if let Some(path) = finding.cgroup.as_ref().and_then(|cgroup| cgroup.path.as_ref()) {
        entry(text, "cgroup", path);
    }
}

fn line(text: &mut String, finding: &Finding) {
    section(text, "Which line");
    let Some(stack) = finding.stack.as_ref().filter(|stack| *stack != &Stack::default()) else {
        wrapped(text, "  ", "No call stack: the act was not made within a call of the process, or --stack was off.");
        return;
    };
    let innermost = render::innermost(stack).map(std::ptr::from_ref);
    for frame in stack.user.iter() {
        let mark = if innermost == Some(std::ptr::from_ref(frame)) { "→" } else { " " };
        line_of(text, &format!("  {mark} {}", render::frame(frame)));
    }
    if innermost.is_some() {
        line_of(text, "    (→ is the innermost function of the program)");
    }
    if !stack.kernel.is_empty() {
        let names: Vec<String> = stack.kernel.iter().take(KERNEL).map(|frame| render::frame(frame)).collect();
        entry(text, "kernel", &names.join(" < "));
    }
}

fn advice(text: &mut String, story: &Story) {
    section(text, "What to do");
    wrapped(text, "  ", &story.advice.advice);
    if let Some(reference) = &story.advice.reference {
        entry(text, "see", reference);
    }
}

fn other_end(text: &mut String, story: &Story, finding: &Finding) {
    section(text, "The other end");
    match (&story.other_end, &finding.counterpart) {
        (Some(other), _) => {
            wrapped(text, "  ", &other.message().to_string());
            entry(text, "event", &format!("{}/{} at {}", other.host.name, other.seq, other.time));
        }
        (None, Some(counterpart)) => entry(text, "process", &format!("{}, on this host", named(counterpart))),
        (None, None) if finding.tcp.reset_id.is_none() => {
            wrapped(text, "  ", "Not known: this finding has no reset id to look for.");
        }
        (None, None) => {
            let id = finding.tcp.reset_id.map_or_else(String::new, |id| id.to_string());
            wrapped(text, "  ", &format!("Not known here. An observer there tells of it under the reset id {id}."));
        }
    }
}

fn often(text: &mut String, story: &Story) {
    let Some(often) = &story.often else { return };
    section(text, "How often");
    wrapped(text, "  ", &often.what);
    entry(text, "last hour", &format!("{} up to this one", thousands(often.hour)));
    entry(text, "last day", &thousands(often.day));
    entry(text, "recorded", &thousands(often.all));
    let minute = |time: &Option<String>| {
        time.as_ref().map_or_else(|| "unknown".to_owned(), |time| time.trim_end_matches('Z').replace('T', " "))
    };
    entry(text, "first", &format!("{} UTC", minute(&often.first)));
    entry(text, "latest", &format!("{} UTC", minute(&often.last)));
}

fn section(text: &mut String, name: &str) {
    text.push('\n');
    line_of(text, name);
}

/// `  process     k8scache[4242]`, wrapped behind the label.
fn entry(text: &mut String, label: &str, value: &str) {
    let first = format!("  {label:<LABEL$}  ");
    fill(text, &first, &" ".repeat(first.chars().count()), value);
}

fn wrapped(text: &mut String, indent: &str, value: &str) {
    fill(text, indent, indent, value);
}

/// Words in lines; what a stranger has named has no line ends and no terminal sequences.
fn fill(text: &mut String, first: &str, others: &str, value: &str) {
    let value = printable(value);
    let mut line = first.to_owned();
    let mut empty = true;
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            line_of(text, &line);
            others.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    line_of(text, &line);
}

fn line_of(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}
