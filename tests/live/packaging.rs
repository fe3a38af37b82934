//! The systemd unit, as systemd's own tool judges it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use conn_observer_tests::binary;
use conn_observer_tests::feature::Feature::{Sources, Tool};
use conn_observer_tests::feature::{sources, tool};
use conn_observer_tests::run::{self, Outcome};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "packaging",
        [Sources, Tool("systemd-analyze")],
        [the_unit_is_understood, the_exposure_of_the_unit_is_the_one_that_is_documented]
    );
}

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    sources().join("../..").join(path)
}

fn analyze(arguments: &[&str]) -> Outcome {
    let mut command = Command::new(tool("systemd-analyze").expect("systemd-analyze"));
    command.args(arguments);
    run::run(command)
}

fn the_unit_is_understood() {
    let text = fs::read_to_string(file("packaging/systemd/conn-observer.service")).unwrap();
    // What an installation has, and a checkout has not.
    let here =
        text.replace("/usr/bin/conn-observer", binary::path().to_str().unwrap()).replace("man:conn-observer(1) ", "");
    assert_ne!(text, here);
    let folder = std::env::temp_dir().join(format!("conn-observer-unit-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let unit = folder.join("conn-observer.service");
    for (text, understood) in [(here.clone(), true), (here.replace("RestartSec=5s", "RestartSec=soon"), false)] {
        fs::write(&unit, text).unwrap();
        let outcome = analyze(&["verify", "--man=no", unit.to_str().unwrap()]);
        let said = [&*outcome.stdout, &*outcome.stderr].concat();
        assert_eq!(outcome.code == Some(0) && said.is_empty(), understood, "{outcome:?}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn the_exposure_of_the_unit_is_the_one_that_is_documented() {
    let unit = file("packaging/systemd/conn-observer.service");
    let outcome = analyze(&["security", "--offline=true", "--no-pager", unit.to_str().unwrap()]);
    let verdict = outcome.stdout.lines().last().unwrap_or_default();
    let exposure = verdict.split(": ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let exposure: f64 = exposure.parse().unwrap_or_else(|_| panic!("no exposure in {outcome:?}"));
    let page = fs::read_to_string(file("docs/privileges.md")).unwrap();
    let documented = page.split("gives it an exposure of ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    // Other versions of systemd weigh a few tenths otherwise.
    let difference = (exposure - documented.parse::<f64>().unwrap()).abs();
    assert!(difference < 0.5, "{documented} is documented: {verdict}");
}
