//! Whether the observer observes: `/healthz`.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use crate::{
    sink::SinkCount,
    vitals::{Report, Vitals},
};

/// How long the main loop may be silent. It reports every second; a machine that has stalled is given some more.
const PATIENCE: Duration = Duration::from_secs(10);

/// The state in words, a line each: first `ok`, or what is wrong. An error when it does not observe; a sink that does not
/// work is told, but others may.
pub(super) fn examine(vitals: &Vitals, sinks: &[SinkCount], now: Instant) -> Result<String, String> {
    let Some(report) = vitals.last() else { return Err("starting: the main loop has not begun\n".to_owned()) };
    let silence = now.saturating_duration_since(report.time);
    let mut text = String::new();
    let wrong = wrong(&report, silence);
    // Writing into a string does not fail.
    let _ = writeln!(text, "{}", wrong.as_deref().unwrap_or("ok"));
    let _ = writeln!(text, "hooks: {}", report.plan.name());
    let _ = writeln!(text, "last report of the main loop: {:.1} s ago", silence.as_secs_f64());
    for sink in sinks {
        let state = sink.error.as_deref().unwrap_or("ok");
        let _ = writeln!(text, "sink {}: {state}, {} events lost", sink.name, sink.lost);
    }
    if wrong.is_some() { Err(text) } else { Ok(text) }
}

fn wrong(report: &Report, silence: Duration) -> Option<String> {
    if !report.attached {
        return Some("the hooks are detached: the observer is ending".to_owned());
    }
    (silence > PATIENCE).then(|| format!("the main loop has not reported for {} s", silence.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernel::Tally, plan::Plan};

    #[test]
    fn it_is_well_while_the_hooks_are_attached_and_the_main_loop_reports() {
        let vitals = Vitals::default();
        let time = Instant::now();
        let says = |vitals: &Vitals, silence| examine(vitals, &[], time + silence);
        assert!(says(&vitals, Duration::ZERO).unwrap_err().contains("has not begun"));
        vitals.report(Report {
            time,
            plan: Plan::Tracepoint,
            attached: true,
            received: 0,
            malformed: 0,
            tally: Tally::default(),
        });
        assert_eq!(
            says(&vitals, PATIENCE).unwrap(),
            "ok\nhooks: tracepoint\nlast report of the main loop: 10.0 s ago\n"
        );
        let told = says(&vitals, PATIENCE + Duration::from_secs(1)).unwrap_err();
        assert!(told.starts_with("the main loop has not reported for 11 s\n"), "{told}");
        vitals.detached();
        assert!(says(&vitals, Duration::ZERO).unwrap_err().contains("detached"));
    }

    #[test]
    fn a_sink_that_does_not_work_is_told_and_no_reason_to_start_anew() {
        let vitals = Vitals::default();
        let time = Instant::now();
        let tally = Tally::default();
        vitals.report(Report { time, plan: Plan::Fentry, attached: true, received: 0, malformed: 0, tally });
        let sink =
            SinkCount { name: "file:/a".into(), lost: 7, error: Some("disk full".into()), ..SinkCount::default() };
        let told = examine(&vitals, &[sink], time).unwrap();
        assert!(told.ends_with("\nsink file:/a: disk full, 7 events lost\n"), "{told}");
    }
}
