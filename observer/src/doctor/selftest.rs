//! The self-test: makes every cause that plain sockets can make, in a network namespace of its own, and expects each
//! back as a finding. All findings are there when the hooks are detached, so nothing is waited for.

use std::io;

use super::{
    acts::ACTS,
    netns,
    report::{Check, Reproduced, Sighting},
};
use crate::{
    cause::Cause,
    clock::Clock,
    decode::Decoder,
    event::Finding,
    kernel,
    options::{FilterSet, Options},
    plan::{Coverage, Plan},
};

const NAME: &str = "self_test";

/// What came back: a cause and the two ports of its connection.
struct Seen {
    cause: Cause,
    ports: [u16; 2],
}

/// An act that was made, or why it could not be.
struct Made {
    cause: Cause,
    port: io::Result<u16>,
}

/// Runs the self-test with this plan.
pub(crate) fn run(plan: Plan, options: &Options) -> (Check, Vec<Reproduced>) {
    let options = options.clone();
    match netns::run(NAME, move |namespace| in_namespace(namespace, plan, &options)) {
        Ok(rows) => (verdict(plan, &rows), rows.into_iter().chain(not_tried()).collect()),
        Err(check) => (check, Vec::new()),
    }
}

fn in_namespace(namespace: u32, plan: Plan, options: &Options) -> Result<Vec<Reproduced>, Check> {
    let filters = FilterSet {
        netns: vec![namespace],
        causes: ACTS.iter().map(|act| act.cause).collect(),
        ..FilterSet::default()
    };
    let fault = |error: String| Check::failed(NAME, error, "please report it");
    let mut attached = kernel::try_plan(plan, &Options { filters, ..options.clone() })
        .map_err(|refused| fault(format!("refused at {}: {}", refused.hook, refused.error)))?;
    let mut ring = attached.take_ring().map_err(|error| fault(format!("{error:#}")))?;
    let made = ACTS.map(|act| Made { cause: act.cause, port: (act.make)() });
    attached.detach().map_err(|error| fault(format!("{error:#}")))?;
    let mut decoder = Decoder::new(Clock::read(), &attached.reasons, "");
    let mut seen = Vec::new();
    while let Some(record) = ring.next() {
        let decoded = decoder
            .decode(&record, 0, &mut Vec::new())
            .map_err(|error| fault(format!("a record cannot be decoded: {error}")))?;
        seen.extend(decoded.event.body.finding().and_then(sighting));
    }
    // What a plan cannot see by itself are special cases; no act is one.
    let special = plan.coverage();
    let limits: Vec<Coverage> = attached.coverage.iter().filter(|one| !special.contains(one)).cloned().collect();
    Ok(made.into_iter().map(|one| judge(one, &seen, &limits)).collect())
}

fn sighting(finding: &Finding) -> Option<Seen> {
    let network = finding.network.as_ref()?;
    Some(Seen { cause: finding.cause, ports: [network.local.port, network.peer.port] })
}

fn judge(made: Made, seen: &[Seen], limits: &[Coverage]) -> Reproduced {
    let cause = made.cause.name();
    let row = |state, detail| Reproduced { cause, state, detail };
    match made.port {
        Ok(port) if seen.iter().any(|one| one.cause == made.cause && one.ports.contains(&port)) => {
            row(Sighting::Seen, None)
        }
        Ok(port) => match limits.iter().find(|limit| concerns(limit, cause)) {
            Some(limit) => row(Sighting::NotOnThisKernel, Some(limit.limit.clone())),
            None => row(Sighting::NotSeen, Some(instead(port, seen))),
        },
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            row(Sighting::NotOnThisKernel, Some(error.to_string()))
        }
        Err(error) => row(Sighting::NotMade, Some(error.to_string())),
    }
}

/// A limit names the causes that it is about.
fn concerns(limit: &Coverage, cause: &str) -> bool {
    let mut words = limit.what.split_whitespace().chain(limit.limit.split_whitespace());
    words.any(|word| word.trim_matches(|character: char| !character.is_alphanumeric()) == cause)
}

/// Causes that take more than plain sockets.
fn not_tried() -> impl Iterator<Item = Reproduced> {
    let why = |cause: Cause| match cause {
        Cause::ClosePhantom | Cause::BadSegment => Some("needs segments made by hand"),
        Cause::KeepaliveTimeout => Some("needs a peer that has fallen silent, and its time"),
        Cause::OutOfMemory => Some("needs a host that is short of memory"),
        Cause::Mptcp => Some("needs Multipath TCP"),
        _ => None,
    };
    let row = move |cause: &Cause| {
        let detail = why(*cause)?.to_owned();
        Some(Reproduced { cause: cause.name(), state: Sighting::NotTried, detail: Some(detail) })
    };
    Cause::ALL.iter().filter_map(row)
}

/// What was told of a connection instead of its cause.
fn instead(port: u16, seen: &[Seen]) -> String {
    let others: Vec<&str> = seen.iter().filter(|one| one.ports.contains(&port)).map(|one| one.cause.name()).collect();
    if others.is_empty() { "nothing came back".to_owned() } else { format!("{} came back", others.join(", ")) }
}

fn verdict(plan: Plan, rows: &[Reproduced]) -> Check {
    let named =
        |state: Sighting| -> Vec<&str> { rows.iter().filter(|row| row.state == state).map(|row| row.cause).collect() };
    let seen = named(Sighting::Seen).len();
    let mut detail = format!("{seen} of {} causes came back with the {} plan", rows.len(), plan.name());
    for state in [Sighting::NotSeen, Sighting::NotOnThisKernel, Sighting::NotMade] {
        let causes = named(state);
        if !causes.is_empty() {
            detail.push_str(&format!("; {}: {}", state.words(), causes.join(", ")));
        }
    }
    if !named(Sighting::NotSeen).is_empty() {
        return Check::failed(NAME, detail, "please report it with this output");
    }
    if seen == rows.len() { Check::ok(NAME, detail) } else { Check::limited(NAME, detail) }
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    const PORT: u16 = 40_000;

    fn judged(cause: Cause, port: io::Result<u16>, seen: &[Seen], limits: &[Coverage]) -> Sighting {
        judge(Made { cause, port }, seen, limits).state
    }

    fn no_reasons() -> Coverage {
        let limit = "this kernel's tracepoint does not tell RSTs for which it finds no full socket";
        Coverage { what: "data_after_timewait, no_socket".to_owned(), limit: limit.to_owned() }
    }

    #[test]
    fn cause_and_port_must_both_be_right() {
        let seen = [Seen { cause: Cause::LingerZero, ports: [80, PORT] }];
        assert_eq!(judged(Cause::LingerZero, Ok(PORT), &seen, &[]), Sighting::Seen);
        assert_eq!(judged(Cause::LingerZero, Ok(81), &seen, &[]), Sighting::NotSeen);
        assert_eq!(judged(Cause::CloseUnread, Ok(PORT), &seen, &[]), Sighting::NotSeen);
    }

    #[test]
    fn what_the_kernel_does_not_show_is_declared_not_failed() {
        let limits = [no_reasons()];
        assert_eq!(judged(Cause::NoSocket, Ok(PORT), &[], &limits), Sighting::NotOnThisKernel);
        assert_eq!(judged(Cause::DataAfterTimewait, Ok(PORT), &[], &limits), Sighting::NotOnThisKernel);
        assert_eq!(judged(Cause::Disconnect, Ok(PORT), &[], &limits), Sighting::NotSeen);
    }

    #[test]
    fn an_act_that_cannot_be_made_is_no_fault() {
        let unsupported = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        assert_eq!(judged(Cause::AdminKill, Err(unsupported), &[], &[]), Sighting::NotOnThisKernel);
        let forbidden = io::Error::from_raw_os_error(libc::EPERM);
        assert_eq!(judged(Cause::AdminKill, Err(forbidden), &[], &[]), Sighting::NotMade);
    }

    #[test]
    fn one_cause_not_seen_fails_the_test() {
        let row = |state| Reproduced { cause: "disconnect", state, detail: None };
        let state = |rows: &[Reproduced]| verdict(Plan::Tracepoint, rows).state;
        assert_eq!(state(&[row(Sighting::Seen)]), State::Ok);
        assert_eq!(state(&[row(Sighting::Seen), row(Sighting::NotOnThisKernel)]), State::Limited);
        assert_eq!(state(&[row(Sighting::NotMade), row(Sighting::NotSeen)]), State::Failed);
    }
}
