//! The image in a real container, by runc, set up as the chart has it: what the chart asks for is enough to observe.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Subject, image};
use crate::{
    dist::{chart, tools},
    process,
};

/// Kubernetes objects as JSON: nothing here reads YAML.
const TO_JSON: &str = "\
import json, sys, yaml
print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))
";

pub(super) fn observes(subject: &Subject<'_>) -> Result<()> {
    let bundle = image::unpacked(subject, "container")?;
    let (configuration, container) = chart_objects()?;
    let file = bundle.join("rootfs/etc/conn-observer/config.toml");
    fs::write(&file, configuration).with_context(|| format!("cannot write {}", file.display()))?;
    set_up(&bundle.join("config.json"), &container)?;
    let id = format!("conn-observer-check-{}", std::process::id());
    let mut command = Command::new("runc");
    let text = process::read_text(command.arg("run").arg("--bundle").arg(&bundle).arg(&id))?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let types: Vec<&Value> = lines.iter().map(|line| &line["type"]).collect();
    if types.first().is_none_or(|first| *first != "started") || types.last().is_none_or(|last| *last != "stopped") {
        bail!("the container wrote {text}");
    }
    Ok(())
}

/// The configuration file and the container of the manifest.
fn chart_objects() -> Result<(String, Value)> {
    let path = tools::fresh_folder("objects")?.join("manifest.yaml");
    fs::write(&path, chart::manifest()?).with_context(|| format!("cannot write {}", path.display()))?;
    let text = process::read(tools::PYTHON.program("python").args(["-c", TO_JSON]).arg(&path))?;
    let objects: Vec<Value> = serde_json::from_slice(&text).context("cannot read the manifest as JSON")?;
    let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind);
    let configuration = of_kind("ConfigMap").and_then(|map| map["data"]["config.toml"].as_str());
    let container = of_kind("DaemonSet").map(|set| set["spec"]["template"]["spec"]["containers"][0].clone());
    configuration.map(str::to_owned).zip(container).context("the manifest lacks the ConfigMap or the DaemonSet")
}

/// As a node would do it (OCI runtime-spec): its arguments, its capabilities, the host's processes, nothing writable.
/// The network stays its own, so that no port is taken here.
fn set_up(path: &Path, container: &Value) -> Result<()> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut config: Value = serde_json::from_slice(&text).context("umoci wrote no JSON")?;
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut arguments = words(&config["process"]["args"]);
    arguments.extend(words(&container["args"]));
    arguments.extend(["--duration".to_owned(), "1s".to_owned()]);
    let security = &container["securityContext"];
    let added = words(&security["capabilities"]["add"]);
    let capabilities: Vec<String> = added.iter().map(|name| format!("CAP_{name}")).collect();
    let process = &mut config["process"];
    process["terminal"] = json!(false);
    process["args"] = json!(arguments);
    process["noNewPrivileges"] = json!(security["allowPrivilegeEscalation"] == false);
    process["capabilities"] = json!({ "bounding": capabilities, "effective": capabilities, "permitted": capabilities });
    config["root"]["readonly"] = security["readOnlyRootFilesystem"].clone();
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.retain(|namespace| namespace["type"] != "pid" && namespace["type"] != "user");
    }
    fs::write(path, serde_json::to_vec(&config)?).with_context(|| format!("cannot write {}", path.display()))
}
