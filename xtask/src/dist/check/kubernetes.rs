//! The chart by Helm, and what it renders by the schemas of Kubernetes.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use super::Subject;
use crate::{
    dist::{chart, tools},
    process, workspace,
};

/// The oldest version that the chart allows, and the newest that there are schemas for.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Values that turn on what is off by default, and off what is on.
const OTHERS: [&str; 10] = [
    "capabilities.extra={SYS_RESOURCE,SYS_ADMIN}",
    "metrics.annotations=false",
    "hostNetwork=false",
    "mountPasswd=false",
    "serviceAccount.create=false",
    "user=",
    "priorityClassName=system-node-critical",
    "image.digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "extraArgs={--dns}",
    "seLinuxOptions.type=spc_t",
];

/// Values that a schema must refuse: a name that is none, a wrong type, the capability's other spelling.
const WRONG: [&str; 3] = ["hostNetwrk=true", "metrics.port=http", "capabilities.extra={CAP_SYS_ADMIN}"];

pub(super) fn chart_is_clean(subject: &Subject<'_>) -> Result<()> {
    // The packed one: what is missing there is missing for everybody.
    let packed = subject.release.folder.join(chart::name(subject.release));
    process::read(Command::new(tools::helm()).args(["lint", "--strict"]).arg(packed)).map(drop)
}

pub(super) fn wrong_values_are_refused(_: &Subject<'_>) -> Result<()> {
    for wrong in WRONG {
        if chart::render(&["--set", wrong]).is_ok() {
            bail!("{wrong} is accepted");
        }
    }
    Ok(())
}

pub(super) fn renderings_are_valid(_: &Subject<'_>) -> Result<()> {
    let folder = tools::fresh_folder("kubernetes")?;
    let others: Vec<&str> = OTHERS.iter().flat_map(|other| ["--set", other]).collect();
    for (name, text) in [("default.yaml", chart::manifest()?), ("others.yaml", chart::render(&others)?)] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        for version in VERSIONS {
            validate(&path, version)?;
        }
    }
    // The Prometheus Operator's definitions are no part of Kubernetes: that it renders is what can be seen.
    let monitor = chart::render(&["--set", "metrics.podMonitor=true"])?;
    monitor.contains("kind: PodMonitor").then_some(()).context("metrics.podMonitor renders no PodMonitor")
}

fn validate(path: &Path, version: &str) -> Result<()> {
    let mut command = tools::PYTHON.program("kubernetes-validate");
    let output = command.args(["--strict", "--quiet", "--kubernetes-version", version]).arg(path).output();
    let output = output.context("cannot start kubernetes-validate")?;
    if !output.status.success() {
        // It tells faults on either stream.
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{} under Kubernetes {version}: {}{}", path.display(), said.trim(), complained.trim());
    }
    Ok(())
}

pub(super) fn manifest_is_current(subject: &Subject<'_>) -> Result<()> {
    let manifest = chart::manifest()?;
    if fs::read_to_string(workspace::root().join(chart::MANIFEST)).unwrap_or_default() != manifest {
        bail!("{} is not what the chart renders; run `cargo xtask dist --manifest` and commit it", chart::MANIFEST);
    }
    let folder = tools::fresh_folder("configuration")?;
    let path = folder.join("config.toml");
    let indent = "    ";
    let lines = manifest.lines().skip_while(|line| !line.ends_with("config.toml: |")).skip(1);
    let lines = lines.take_while(|line| line.starts_with(indent)).map(|line| line.trim_start_matches(indent));
    fs::write(&path, lines.collect::<Vec<_>>().join("\n"))
        .with_context(|| format!("cannot write {}", path.display()))?;
    process::read(Command::new(&subject.inputs.program.file).args(["config", "check"]).arg(path)).map(drop)
}
