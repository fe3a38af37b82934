//! The Helm chart as an archive, and the manifest that is rendered from it for those without Helm.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use super::{
    archive::{self, Tree},
    release::Release,
    tools,
};
use crate::{process, workspace};

/// The chart's folder.
pub(crate) const CHART: &str = "deploy/helm/conn-observer";

/// The rendered manifest.
pub(crate) const MANIFEST: &str = "deploy/kubernetes/conn-observer.yaml";

/// Before what Helm renders: the namespace, which Helm makes by itself.
const HEAD: &str = "\
# Rendered from deploy/helm/conn-observer by `cargo xtask dist --manifest`: kubectl apply -f conn-observer.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: conn-observer
  labels:
    # hostPID, hostPath and the capabilities ask for it.
    pod-security.kubernetes.io/enforce: privileged
";

/// As `helm package` names it.
pub(crate) fn name(release: &Release) -> String {
    format!("conn-observer-{}.tgz", release.version)
}

/// The chart, compressed.
pub(crate) fn archive(release: &Release) -> Result<Vec<u8>> {
    let folder = workspace::root().join(CHART);
    let chart = fs::read_to_string(folder.join("Chart.yaml")).context("cannot read Chart.yaml")?;
    let version = &release.version;
    for line in [format!("version: {version}"), format!("appVersion: \"{version}\"")] {
        if !chart.lines().any(|one| one == line) {
            bail!("{CHART}/Chart.yaml lacks `{line}`, the workspace's version");
        }
    }
    let mut tree = Tree::default();
    add(&mut tree, &folder, "conn-observer")?;
    archive::gzip(&tree.to_tar(release.epoch)?)
}

fn add(tree: &mut Tree, folder: &Path, name: &str) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            add(tree, &path, &name)?;
        } else {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            tree.file(&name, 0o644, bytes);
        }
    }
    Ok(())
}

/// The manifest as the chart gives it.
pub(crate) fn manifest() -> Result<String> {
    Ok(format!("{HEAD}{}", render(&[])?))
}

/// What Helm renders with these options; an error says what Helm said.
pub(crate) fn render(options: &[&str]) -> Result<String> {
    let mut command = Command::new(tools::helm());
    command.args(["template", "conn-observer"]).arg(workspace::root().join(CHART));
    process::read_text(command.args(["--namespace", "conn-observer"]).args(options))
}
