//! What the observer itself says about a plan on the guest's kernel: its limits, or why the kernel refuses the plan.

use serde_json::Value;

use super::report::{End, Outcome};

/// Exit status of an observer that could not run.
const COULD_NOT_RUN: End = End::Exit(2);

/// A limit of what is seen, as `started` tells it in `hooks.coverage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Cause, field or feature that is limited.
    pub(crate) what: String,
    /// How, in one sentence.
    pub(crate) limit: String,
}

/// What came of an observer that was started with one plan and stopped at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// The plan is in force, with these limits.
    Limits(Vec<Limit>),
    /// The kernel does not take the plan, for this reason.
    Refused(String),
    /// Something else is wrong.
    Failed(String),
}

impl Declared {
    /// Reads the run's output.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let said = outcome.stderr.lines().next().unwrap_or_default();
        match outcome.end {
            End::Exit(0) => limits(&outcome.stdout)
                .map_or_else(|| Self::Failed("the observer's first line is no `started`".to_owned()), Self::Limits),
            COULD_NOT_RUN if said.contains("refused") => Self::Refused(refusal(said).to_owned()),
            End::Exit(code) => Self::Failed(format!("the observer exited with {code}: {said}")),
            End::Timeout => Self::Failed("the observer did not stop".to_owned()),
            End::MachineFailed | End::NotStarted => Self::Failed("the machine failed".to_owned()),
        }
    }
}

/// `hooks.coverage` of the first line; `None` when that is no `started` event.
fn limits(stdout: &str) -> Option<Vec<Limit>> {
    let started: Value = serde_json::from_str(stdout.lines().next()?).ok()?;
    if started["type"] != "started" {
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let limit = |value: &Value| Some(Limit { what: text(&value["what"])?, limit: text(&value["limit"])? });
    started["hooks"]["coverage"].as_array()?.iter().map(limit).collect()
}

/// The kernel's own words in "conn-observer: the kernel refused every hook (…); try …"; the whole line otherwise.
fn refusal(line: &str) -> &str {
    let inner = line.split_once("refused every hook (").and_then(|(_, rest)| rest.split_once("); try "));
    inner.map_or(line, |(words, _)| words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn declared(end: End, stdout: &str, stderr: &str) -> Declared {
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        Declared::of(&Outcome { end, stdout, stderr, time: Duration::ZERO })
    }

    #[test]
    fn the_limits_are_those_of_the_started_event() {
        let line = r#"{"type":"started","hooks":{"coverage":[{"what":"disconnect","limit":"looks like a close"}]}}"#;
        let limit = Limit { what: "disconnect".to_owned(), limit: "looks like a close".to_owned() };
        let text = format!("{line}\n{{\"type\":\"stopped\"}}\n");
        assert_eq!(declared(End::Exit(0), &text, ""), Declared::Limits(vec![limit]));
    }

    #[test]
    fn output_that_is_cut_anywhere_declares_nothing() {
        let line = r#"{"type":"started","hooks":{"coverage":[]}}"#;
        let cut = |length: usize| declared(End::Exit(0), &line[..length], "");
        assert!((0..line.len()).all(|length| matches!(cut(length), Declared::Failed(_))));
        assert_eq!(cut(line.len()), Declared::Limits(Vec::new()));
        assert!(matches!(declared(End::Exit(0), r#"{"type":"stopped"}"#, ""), Declared::Failed(_)));
    }

    #[test]
    fn a_refusal_is_told_in_the_kernels_words() {
        let said = "conn-observer: the kernel refused every hook (kprobe/f: EPERM (x); lockdown: y); try --hooks auto";
        let refused = |text: &str| Declared::Refused(text.to_owned());
        assert_eq!(declared(COULD_NOT_RUN, "", said), refused("kprobe/f: EPERM (x); lockdown: y"));
        assert_eq!(declared(COULD_NOT_RUN, "", "kprobe was refused\nand so on"), refused("kprobe was refused"));
    }

    #[test]
    fn no_other_failure_passes_for_a_refusal() {
        for (end, said) in [(COULD_NOT_RUN, "no such option"), (End::Exit(101), "refused"), (End::Timeout, "refused")] {
            assert!(matches!(declared(end, "", said), Declared::Failed(_)), "{end:?}");
        }
    }
}
