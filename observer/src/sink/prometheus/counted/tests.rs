use std::collections::BTreeMap;

use ::prometheus::TextEncoder;

use super::*;
use crate::{
    clock::Time,
    event::{AddressType, Attribution, CauseSource, Host, Network, Process},
};

fn finding(comm: &str, peer: &Endpoint) -> Finding {
    let mut process = Process::of(1, 1, Attribution::Current);
    process.comm = comm.to_owned();
    let network = Network {
        kind: AddressType::Ipv4,
        transport: "tcp".into(),
        role: None,
        local: Endpoint::of([127, 0, 0, 1].into(), 1),
        peer: peer.clone(),
        namespace: None,
        host_namespace: None,
    };
    Finding {
        severity: Severity::Harmful,
        process: Some(process.into()),
        network: Some(network),
        ..Finding::of(Cause::CloseUnread, CauseSource::Predicted)
    }
}

fn event(body: Body) -> Event {
    let host = Host { name: "".into() };
    Event { schema: "".into(), seq: 0, time: Time::of(0), message: None, host, body }
}

fn close(comm: &str, peer: &Endpoint) -> Event {
    event(Body::Close(finding(comm, peer)))
}

fn peer(number: u32) -> Endpoint {
    Endpoint::of(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into(), 80)
}

/// The samples of one metric by the value of one label.
fn samples(counted: &Counted, metric: &Metric, label: &str) -> BTreeMap<String, f64> {
    let families = counted.registry().gather();
    let family = families.iter().find(|family| family.name() == metric.name);
    let samples = family.into_iter().flat_map(|family| family.get_metric());
    let mut found = BTreeMap::new();
    for sample in samples {
        let value = sample.get_label().iter().find(|pair| pair.name() == label).unwrap().value().to_owned();
        *found.entry(value).or_default() += sample.get_counter().get_value();
    }
    found
}

#[test]
fn ten_thousand_names_make_as_many_series_as_are_allowed_and_one_more() {
    let mut counted = Counted::new(200).unwrap();
    for round in 0..2 {
        for number in 0..10_000 {
            counted.count(&close(&format!("p{number}"), &peer(number)));
        }
        for (metric, label, first) in
            [(metric::PROCESS_FINDINGS, "process", "p0"), (metric::PEER_FINDINGS, "peer", "10.0.0.0")]
        {
            let found = samples(&counted, &metric, label);
            assert_eq!(found.len(), 201, "{label}");
            assert_eq!(found.values().sum::<f64>(), 10_000.0 * f64::from(round + 1), "{label}");
            assert_eq!(found[first], f64::from(round + 1), "{label}");
            assert_eq!(found["other"], 9_800.0 * f64::from(round + 1), "{label}");
        }
    }
    assert_eq!(samples(&counted, &metric::FINDINGS, "cause")["close_unread"], 20_000.0);
}

#[test]
fn what_nobody_knows_has_no_label_and_takes_no_place() {
    let mut counted = Counted::new(1).unwrap();
    let nobody = Finding::of(Cause::NoSocket, CauseSource::Kernel);
    counted.count(&event(Body::ResetSent(nobody)));
    counted.count(&close("known", &peer(1)));
    assert_eq!(
        samples(&counted, &metric::PROCESS_FINDINGS, "process"),
        BTreeMap::from([("".into(), 1.0), ("known".into(), 1.0)])
    );
    assert_eq!(
        samples(&counted, &metric::PEER_FINDINGS, "peer"),
        BTreeMap::from([("".into(), 1.0), ("10.0.0.1".into(), 1.0)])
    );
}

#[test]
fn a_peer_goes_by_its_name_where_it_has_one() {
    let mut counted = Counted::new(9).unwrap();
    counted.count(&close("a", &Endpoint { name: Some("db.example".into()), ..peer(1) }));
    counted.count(&close("a", &Endpoint { name: Some("db.example".into()), ..peer(2) }));
    assert_eq!(samples(&counted, &metric::PEER_FINDINGS, "peer"), BTreeMap::from([("db.example".into(), 2.0)]));
}

#[test]
fn names_that_others_choose_cannot_forge_lines() {
    let mut counted = Counted::new(9).unwrap();
    let evil = String::from_utf8_lossy(b"a\"} 1\nx{\\\xff").into_owned();
    counted.count(&close(&evil, &Endpoint { name: Some(evil.as_str().into()), ..peer(1) }));
    let text = TextEncoder::new().encode_to_string(&counted.registry().gather()).unwrap();
    let labels = "=\"a\\\"} 1\\nx{\\\\\u{fffd}\"";
    for line in [
        format!("conn_observer_process_findings_total{{cause=\"close_unread\",process{labels}}} 1"),
        format!("conn_observer_peer_findings_total{{cause=\"close_unread\",peer{labels}}} 1"),
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    }
    assert!(text.lines().all(|line| line.starts_with("conn_observer_") || line.starts_with("# ")), "{text}");
}

#[test]
fn series_that_can_be_foreseen_begin_at_zero_and_none_ever_falls() {
    let mut counted = Counted::new(2).unwrap();
    assert_eq!(samples(&counted, &metric::FINDINGS, "cause").len(), Cause::ALL.len());
    assert_eq!(samples(&counted, &metric::AUDIT_RESIDUAL, "counter").len(), audit::counters().count());
    let all = |counted: &Counted| -> BTreeMap<String, f64> {
        let families = counted.registry().gather();
        let each = families.iter().flat_map(|family| family.get_metric().iter().map(move |one| (family.name(), one)));
        each.map(|(name, one)| (format!("{name}{:?}", one.get_label()), one.get_counter().get_value())).collect()
    };
    let mut before = all(&counted);
    assert!(before.values().all(|value| *value == 0.0), "{before:?}");
    for number in 0..20 {
        counted.count(&close(&format!("p{}", number % 7), &peer(number % 5)));
        let now = all(&counted);
        assert!(before.iter().all(|(series, value)| now[series] >= *value), "{before:?} {now:?}");
        before = now;
    }
}
