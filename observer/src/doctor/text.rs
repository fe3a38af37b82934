//! The report for people.

use std::fmt::Write as _;

use super::{
    cost::micros,
    report::{Check, Cost, Report, State},
};

/// Columns of the state and the name.
const STATE_WIDTH: usize = 8;
const NAME_WIDTH: usize = 20;
/// Columns of a line.
const WIDTH: usize = 120;

/// Renders a report, with a line end.
pub(super) fn render(report: &Report) -> String {
    let mut text = format!("conn-observer {}", report.version);
    // Writing to a string cannot fail.
    if let Some(kernel) = &report.kernel {
        let _ = write!(text, " on kernel {kernel}");
    }
    text.push_str("\n\n");
    for check in &report.checks {
        line(&mut text, check);
    }
    if !report.self_test.is_empty() {
        text.push_str("\nself-test:\n");
    }
    for row in &report.self_test {
        let detail = row.detail.as_ref().map(|detail| format!(": {detail}"));
        let words = format!("{}{}", row.state.words(), detail.unwrap_or_default());
        paragraph(&mut text, &format!("  {:<NAME_WIDTH$} ", row.cause), &words);
    }
    for cost in &report.cost {
        table(&mut text, cost);
    }
    let _ = writeln!(text, "\n{}", verdict(report));
    text
}

/// A hook a line, the whole last.
fn table(text: &mut String, cost: &Cost) {
    let _ = writeln!(text, "\ncost of {} connections ({}), by the kernel's clock:", cost.connections, cost.load);
    for hook in &cost.hooks {
        let _ = writeln!(text, "  {:<40} {:>8} runs of {:>6} ns", hook.hook, hook.runs, hook.ns_per_run);
    }
    let _ = writeln!(text, "  {:<40} {:>23}", "a connection", micros(cost.connection_ns));
}

fn line(text: &mut String, check: &Check) {
    let head = format!("{:<STATE_WIDTH$} {:<NAME_WIDTH$} ", check.state.name(), check.name);
    paragraph(text, &head, &check.detail);
    if let Some(remedy) = &check.remedy {
        paragraph(text, &format!("{:indent$}→ ", "", indent = head.chars().count()), remedy);
    }
}

/// Words behind a head, on as many lines as they need, each below the first.
fn paragraph(text: &mut String, head: &str, words: &str) {
    text.push_str(head);
    let indent = head.chars().count();
    let mut column = indent;
    for (index, word) in words.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

fn verdict(report: &Report) -> String {
    let count = |state: State| report.checks.iter().filter(|check| check.state == state).count();
    let parts =
        [(count(State::Failed), "failed"), (count(State::Limited), "limited"), (count(State::Skipped), "skipped")];
    let named: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    match (report.ok, named.is_empty()) {
        (true, true) => "all is well".to_owned(),
        (true, false) => format!("all that is needed works ({})", named.join(", ")),
        (false, _) => format!("something that is needed does not work ({})", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::report::{HookCost, Reproduced, SCHEMA, Sighting},
        *,
    };

    fn report(checks: Vec<Check>) -> Report {
        Report {
            schema: SCHEMA,
            version: "0.1.0",
            kernel: Some("6.18.0".to_owned()),
            ok: checks.iter().all(|check| check.state != State::Failed),
            checks,
            plans: Vec::new(),
            fields: Vec::new(),
            self_test: vec![Reproduced { cause: "disconnect", state: Sighting::Seen, detail: None }],
            cost: Vec::new(),
        }
    }

    #[test]
    fn costs_are_tables_with_their_sum() {
        let hook = HookCost { hook: "tp_btf/inet_sock_set_state".to_owned(), runs: 10_000, ns_per_run: 123 };
        let text = render(&Report { cost: vec![Cost::new("clean", 1_000, vec![hook])], ..report(Vec::new()) });
        let expected = "
cost of 1000 connections (clean), by the kernel's clock:
  tp_btf/inet_sock_set_state                  10000 runs of    123 ns
  a connection                                             1.23 µs
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn each_check_is_a_line_with_its_remedy_below() {
        let text =
            render(&report(vec![Check::ok("btf", "there"), Check::failed("CAP_BPF", "lacks it", "run as root")]));
        let expected = "\
conn-observer 0.1.0 on kernel 6.18.0

ok       btf                  there
failed   CAP_BPF              lacks it
                              → run as root

self-test:
  disconnect           seen

something that is needed does not work (1 failed)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn long_sentences_are_wrapped_below_themselves() {
        let text = render(&report(vec![Check::limited("coverage", "word ".repeat(60))]));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().any(|line| line.starts_with(&" ".repeat(30)) && line.ends_with("word")), "{text}");
        assert!(text.ends_with("all that is needed works (1 limited)\n"), "{text}");
    }
}
