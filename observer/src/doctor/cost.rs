//! `doctor --cost`: what the hooks take of a connection's time on this machine, by the kernel's own clock
//! (`BPF_STATS_RUN_TIME`, 5.8), in a network namespace of its own. Reading that clock costs some 20 ns a run itself; that
//! is part of what is told. Other traffic of the host goes through the same hooks: of it there is only the count.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use super::{
    netns,
    report::{Check, Cost, HookCost},
    sock,
};
use crate::{
    kernel::{self, Attached, ProgramRuns, RunClock},
    options::Options,
    plan::Plan,
};

const NAME: &str = "cost";

/// Connections of a load: enough for a steady figure.
const CONNECTIONS: u32 = 1_000;

/// Connections after which the ring is emptied, as a reader would: where much waits, the programs wake one for each record.
const AT_A_TIME: u32 = 50;

const DATA: &[u8] = b"a header and no more";

/// A kind of connection, and how to make one.
struct Load {
    name: &'static str,
    make: fn(&mut TcpStream, TcpStream) -> io::Result<()>,
}

const LOADS: [Load; 2] = [Load { name: "clean", make: clean }, Load { name: "unread", make: unread }];

/// Measures with this plan.
pub(crate) fn run(plan: Plan, options: &Options) -> (Check, Vec<Cost>) {
    let options = options.clone();
    match netns::run(NAME, move |_| attached(plan, &options)) {
        Ok(costs) => (verdict(plan, &costs), costs),
        Err(check) => (check, Vec::new()),
    }
}

fn fault(error: String) -> Check {
    Check::failed(NAME, error, "please report it")
}

fn attached(plan: Plan, options: &Options) -> Result<Vec<Cost>, Check> {
    let _clock = RunClock::start().map_err(|error| {
        Check::skipped(NAME, format!("the kernel does not measure its programs: {error}"))
            .with_remedy("it takes Linux 5.8 and CAP_SYS_ADMIN")
    })?;
    let mut attached = kernel::try_plan(plan, options)
        .map_err(|refused| fault(format!("refused at {}: {}", refused.hook, refused.error)))?;
    let mut ring = attached.take_ring().map_err(|error| fault(format!("{error:#}")))?;
    let mut empty = || while ring.next().is_some() {};
    LOADS.iter().map(|load| measure(&attached, load, &mut empty)).collect()
}

fn measure(attached: &Attached, load: &Load, empty_ring: &mut dyn FnMut()) -> Result<Cost, Check> {
    let before = attached.runs();
    for _ in 0..CONNECTIONS / AT_A_TIME {
        drive(load.make)
            .map_err(|error| Check::skipped(NAME, format!("cannot make connections on loopback: {error}")))?;
        empty_ring();
    }
    let hooks = before.iter().zip(attached.runs()).filter_map(|(before, after)| spent(before, &after));
    Ok(Cost::new(load.name, CONNECTIONS, hooks.collect()))
}

/// What a hook took in between; None when it did not run.
fn spent(before: &ProgramRuns, after: &ProgramRuns) -> Option<HookCost> {
    let runs = after.runs.saturating_sub(before.runs);
    let time = after.time.saturating_sub(before.time);
    (runs > 0).then(|| HookCost::new(after.hook.clone(), runs, time))
}

/// Makes some connections, one after the other, both ends here.
fn drive(make: fn(&mut TcpStream, TcpStream) -> io::Result<()>) -> io::Result<()> {
    let listener = sock::listen()?;
    for _ in 0..AT_A_TIME {
        let mut client = sock::call(&listener)?;
        let (server, _) = listener.accept()?;
        server.set_nonblocking(false)?;
        make(&mut client, server)?;
    }
    Ok(())
}

/// A request that is read and a close that both ends make in order.
fn clean(client: &mut TcpStream, mut server: TcpStream) -> io::Result<()> {
    client.write_all(DATA)?;
    server.read_exact(&mut [0; DATA.len()])?;
    drop(server);
    sock::read_end(client)
}

/// An answer that nobody reads.
fn unread(client: &mut TcpStream, mut server: TcpStream) -> io::Result<()> {
    client.write_all(DATA)?;
    sock::wait_readable(&server, DATA.len() as u64)?;
    server.write_all(DATA)
}

fn verdict(plan: Plan, costs: &[Cost]) -> Check {
    let each = |cost: &Cost| format!("{} a connection ({})", micros(cost.connection_ns), cost.load);
    let told: Vec<String> = costs.iter().map(each).collect();
    Check::ok(NAME, format!("{}, both ends together, with the {} plan", told.join(", "), plan.name()))
}

/// Nanoseconds as people read them.
pub(super) fn micros(ns: u64) -> String {
    format!("{:.2} µs", Duration::from_nanos(ns).as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(runs: u64, ns: u64) -> ProgramRuns {
        ProgramRuns { hook: "tp_btf/tcp_send_reset".to_owned(), runs, time: Duration::from_nanos(ns) }
    }

    #[test]
    fn what_ran_before_is_left_out() {
        let hook = spent(&runs(10, 5_000), &runs(2_010, 1_005_000)).unwrap();
        assert_eq!((hook.runs, hook.ns_per_run), (2_000, 500));
        assert_eq!(spent(&runs(10, 5_000), &runs(10, 5_000)), None);
        let cost = Cost::new("clean", 1_000, vec![hook]);
        assert_eq!(cost.connection_ns, 1_000);
        let said = verdict(Plan::Tracepoint, &[cost]).detail;
        assert_eq!(said, "1.00 µs a connection (clean), both ends together, with the tracepoint plan");
    }
}
