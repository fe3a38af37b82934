//! Fills a store with as many findings as wanted, spread over the last day, and tells how fast: what the figures in
//! docs/store.md are measured with. `cargo run --release --example fill -- PATH EVENTS`

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, Result};
use conn_observer::{
    clock,
    event::Event,
    store::{Limits, Recorder},
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Events in one transaction, as the observer writes them under load.
const BATCH: u64 = 4_096;

/// How many there are of each.
const PROCESSES: u64 = 300;
const PEERS: u64 = 500;
const STACKS: u64 = 200;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let path = PathBuf::from(arguments.next().context("usage: fill PATH EVENTS")?);
    let count: u64 =
        arguments.next().and_then(|text| text.to_str()?.parse().ok()).context("usage: fill PATH EVENTS")?;
    let mut recorder = Recorder::open(&path, Limits::default())?;
    let begin = clock::present() - DAY;
    let patterns = patterns();
    let (mut spent, start) = (0.0, Instant::now());
    let mut batch = Vec::new();
    for seq in 0..count {
        let mut event = patterns[usize::try_from(seq * 7_919 % patterns.len() as u64)?].clone();
        event.seq = seq;
        let into = i128::from(DAY) * i128::from(seq) / i128::from(count);
        event.time = clock::Time::of(begin + i64::try_from(into)?);
        batch.push(event);
        if batch.len() as u64 == BATCH || seq + 1 == count {
            let before = processor_seconds();
            recorder.append(&batch)?;
            spent += processor_seconds() - before;
            batch.clear();
        }
    }
    recorder.finish()?;
    let all = start.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(&path)?.len();
    println!(
        "{count} events in {all:.1} s; {spent:.1} s of processor time to write them: {:.0} events/s; {:.0} bytes an event",
        count as f64 / spent,
        bytes as f64 / count as f64
    );
    Ok(())
}

/// Time of a processor that this thread has had: what else the machine does is not in it.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Findings of many processes, peers and stacks.
fn patterns() -> Vec<Event> {
    let causes = ["close_unread", "close_unread", "close_unread", "linger_zero", "data_after_close", "reset_by_peer"];
    let pattern = |number: u64| {
        let (process, peer, stack) = (number % PROCESSES, number % PEERS, number % STACKS);
        let cause = causes[usize::try_from(number % causes.len() as u64).unwrap_or(0)];
        let kind = match cause {
            "data_after_close" => "reset_sent",
            "reset_by_peer" => "reset_received",
            _ => "close",
        };
        let frames: Vec<_> = (0..32).map(|depth| {
            json!({"address": format!("0x7f{:012x}", stack * 4_096 + depth), "symbol": format!("service::layer{depth}::call{stack}"),
                   "offset": "0x3a", "module": "service", "file": format!("/src/layer{depth}.rs"), "line": 10 + depth})
        }).collect();
        json!({
            "schema": "conn-observer/1", "seq": 0, "time": "", "message": "", "host": {"name": "node-7"},
            "type": kind, "cause": cause, "cause_source": "both", "severity": if number.is_multiple_of(3) { "suspect" } else { "harmful" },
            "process": {"pid": 1_000 + process, "tid": 1_000 + process, "comm": format!("service-{}", process % 20),
                        "thread": {"name": "worker"}, "user": {"id": 1_000, "name": "service"},
                        "start_time": "2026-11-24T08:46:24.436456419Z", "executable": {"path": format!("/usr/bin/service-{}", process % 20)},
                        "command_args": [format!("service-{}", process % 20), "--port", "8080"], "parents": [{"pid": 1, "comm": "systemd"}],
                        "interactive": false, "runtime": {"name": "go", "version": "1.26"}, "attribution": "current"},
            "cgroup": {"id": 12, "path": format!("/system.slice/service-{}.service", process % 20)},
            "systemd": {"unit": format!("service-{}.service", process % 20), "slice": "system.slice"},
            "network": {"type": "ipv4", "transport": "tcp", "role": "client",
                        "local": {"address": "10.0.0.5", "port": 32_768 + number % 28_000},
                        "peer": {"address": format!("10.1.{}.{}", peer / 250, peer % 250), "port": 443, "name": format!("api-{peer}.example"), "name_source": "dns"},
                        "namespace": 4_026_531_840_u32, "host_namespace": true},
            "tcp": {"state": "ESTABLISHED", "unread_bytes": number * 37 % 65_536, "unacked_bytes": 0, "unsent_bytes": 0,
                    "received_bytes": 8_118 + number, "sent_bytes": 96, "srtt_us": 180 + number % 900, "duration_ms": 1.9 + number as f64 / 64.0,
                    "fin_received": false, "reset_sent": true, "reset_id": format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                    "kernel_reason": "TCP_ABORT_ON_CLOSE"},
            "stack": {"user": frames},
            "hint": {"advice": "net/http: read the body to EOF before Close", "reference": "net/http documentation"}
        })
    };
    (0..4_000).filter_map(|number| serde_json::from_value(pattern(number)).ok()).collect()
}
