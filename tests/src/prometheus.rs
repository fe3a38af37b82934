//! A real Prometheus that scrapes one target, with its configuration and data in a folder of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fs, process, thread};

use serde_json::Value;

use crate::deadline::until;
use crate::feature::tool;
use crate::http;

/// A running Prometheus.
pub struct Prometheus {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one in this thread's namespace that scrapes `target`, and waits until it answers.
    pub fn start(target: SocketAddr) -> Self {
        let folder = env::temp_dir().join(format!("conn-observer-prometheus-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let configuration = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: conn-observer, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(folder.join("prometheus.yml"), configuration).expect("its configuration");
        let address = SocketAddr::from(([127, 0, 0, 1], 9_090));
        let child = Command::new(tool("prometheus").expect("prometheus"))
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).expect("its log"))
            .spawn()
            .expect("prometheus starts");
        let prometheus = Self { child, folder, address };
        until("Prometheus to listen", || is_listened_at(address.port()));
        until("Prometheus to be ready", || http::get(address, "/-/ready").is_ok_and(|(status, _)| status == 200));
        prometheus
    }

    /// The values of an expression now, by this label.
    pub fn by(&self, label: &str, expression: &str) -> BTreeMap<String, f64> {
        let path = format!("/api/v1/query?query={}", encode(expression));
        let (status, body) = http::get(self.address, &path).expect("an answer");
        assert_eq!(status, 200, "{expression}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{expression}: {answer}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let value = |sample: &Value| text(&sample["value"][1]).parse().unwrap_or_else(|_| panic!("{sample}"));
        result.iter().map(|sample| (text(&sample["metric"][label]), value(sample))).collect()
    }

    /// The one value of an expression now.
    pub fn value(&self, expression: &str) -> Option<f64> {
        self.by("", expression).into_values().next()
    }

    /// Waits until the values of an expression are these.
    #[track_caller]
    pub fn expect(&self, label: &str, expression: &str, values: &[(&str, u64)]) {
        let wanted = values.iter().map(|(name, value)| ((*name).to_owned(), *value as f64)).collect();
        let mut last = BTreeMap::new();
        until(&format!("{expression} to be {wanted:?}"), || {
            last = self.by(label, expression);
            last == wanted
        });
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("Prometheus said: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Without an attempt to connect, whose refusal would be seen.
fn is_listened_at(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let sockets = fs::read_to_string("/proc/thread-self/net/tcp").expect("the sockets of this namespace");
    let local = format!(":{port:04X}");
    sockets
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .any(|fields| fields.get(1).is_some_and(|address| address.ends_with(&local)) && fields.get(3) == Some(&LISTEN))
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}
