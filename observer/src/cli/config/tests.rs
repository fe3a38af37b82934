use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    cause::Cause,
    options::{Compress, Destination, Options, Size},
};

/// A file of its own, removed at the end.
struct Written(PathBuf);

impl Written {
    fn new(text: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("conn-observer-config-{}-{}.toml", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn options(&self, words: &[&str]) -> Result<Options> {
        let words: Vec<OsString> = [&["conn-observer"], words].concat().iter().map(OsString::from).collect();
        parse(&words, &self.0)?.options()
    }

    fn show(&self) -> Result<String> {
        ConfigArguments { what: What::Show(FileArgument { file: self.0.clone() }) }.answer()
    }

    /// What is wrong with it, without its name.
    fn refusal(&self) -> String {
        let argument = FileArgument { file: self.0.clone() };
        let error = ConfigArguments { what: What::Check(argument) }.answer().expect_err("it is wrong");
        format!("{error:#}").replace(&format!("{}:", self.0.display()), "")
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const FULL: &str = r#"
[filters]
pid = [1, 0x2]
comm = ["nginx", "a \"b\""]
cause = ["close_unread", "linger_zero"]
severity = "suspect"
children = true

[output]
audit = "30s"
churn = "0"

[kernel]
ring-size = 65_536

[[sink.file]]
path = "/var/log/a.ndjson"
max-size = "5MiB"
compress = "zstd"

[[sink.otlp]]
endpoint = "http://collector:4317"
headers = { authorization = "Bearer x" }
"#;

#[test]
fn a_file_says_what_a_command_line_can() {
    let options = Written::new(FULL).options(&[]).unwrap();
    assert_eq!(options.filters.pids, [1, 2]);
    assert_eq!(options.filters.comms, ["nginx", "a \"b\""]);
    assert_eq!(options.filters.causes, [Cause::CloseUnread, Cause::LingerZero]);
    assert!(options.filters.children);
    assert_eq!((options.audit, options.churn), (Some(Duration::from_secs(30)), None));
    assert_eq!(options.ring_bytes, 65_536);
    assert_eq!(options.output, Destination::Nowhere);
    assert_eq!((options.sinks.file[0].max_size, options.sinks.file[0].compress), (Size(5 << 20), Compress::Zstd));
    assert_eq!(options.sinks.otlp[0].headers["authorization"], "Bearer x");
}

#[test]
fn the_command_line_takes_the_place_of_the_file() {
    let file = Written::new(FULL);
    let options = file.options(&["--pid", "7", "--ring-size", "4096", "--sink", "journald"]).unwrap();
    assert_eq!(options.filters.pids, [7], "not 1, 2 and 7");
    assert_eq!(options.ring_bytes, 4_096);
    assert_eq!((options.sinks.file.len(), options.sinks.journald.len()), (0, 1));
    assert_eq!(options.filters.comms.len(), 2, "what is not given stays");
}

#[test]
fn what_is_shown_is_a_file_that_shows_the_same() {
    let shown = Written::new(FULL).show().unwrap();
    assert!(shown.contains("cause = [\"close_unread\", \"linger_zero\"]"), "{shown}");
    assert!(shown.contains("latency = 100"), "the defaults, too: {shown}");
    assert_eq!(Written::new(&shown).show().unwrap(), shown);
    let empty = Written::new("").show().unwrap();
    assert_eq!(Written::new(&empty).show().unwrap(), empty);
}

#[test]
fn the_default_file_is_right_with_and_without_its_comment_signs() {
    let text = ConfigArguments { what: What::Default }.answer().unwrap();
    let as_it_is = Written::new(&text).show().unwrap();
    assert_eq!(as_it_is, Written::new("").show().unwrap(), "it changes nothing");
    // Every key that has a default, at that: `#key = value`, not `# prose`.
    let is_key = |line: &&str| {
        line.starts_with('[') || line.starts_with('#') && !line.starts_with("# ") && !line.contains("= \"\"")
    };
    let bare: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("#[["))
        .filter(is_key)
        .map(|line| line.trim_start_matches('#'))
        .collect();
    assert!(bare.len() > 25, "{bare:?}");
    assert_eq!(Written::new(&bare.join("\n")).show().unwrap(), as_it_is);
    for kind in ["file", "journald", "syslog", "otlp", "prometheus"] {
        assert!(text.contains(&format!("#[[sink.{kind}]]")), "{kind}");
    }
    assert!(text.contains("  zstd: Zstandard"), "choices are explained");
}

#[test]
fn every_option_is_a_key() {
    let command = Cli::command();
    let keys: BTreeSet<&str> = keys::all(&command).iter().map(|key| key.name).collect();
    let options: BTreeSet<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
    assert_eq!(options.difference(&keys).copied().collect::<Vec<_>>(), ["config", "sink"]);
}

/// A wrong file, and what is said about it.
const WRONG: [(&str, &str); 34] = [
    ("[filters]\npdi = [1]", "2:1: unknown key pdi; did you mean pid?"),
    ("[filters]\nwhatever = 1", "2:1: unknown key whatever; [filters] has pid, children"),
    ("[filtres]\npid = [1]", "1:2: unknown table filtres; did you mean filters?"),
    ("[zzz]", "1:2: unknown table zzz; there are filters, output"),
    ("pid = [1]", "1:1: pid belongs into the table [filters]"),
    ("[output]\npid = [1]", "2:1: pid belongs into the table [filters]"),
    ("filters = 3", "1:11: filters is a table, [filters], not an integer"),
    ("[filters]\npid = 1", "2:7: pid: expected an array of integers, found an integer"),
    ("[filters]\npid = [\"1\"]", "2:7: pid: expected an array of integers, found an array"),
    ("[filters]\npid = [-1]", "2:7: invalid value '-1' for '--pid <PID>'"),
    ("[filters]\nport = [70000]", "2:8: invalid value '70000' for '--port <PORT>'"),
    (
        "[filters]\npeer = [\"10.0.0.0/99\"]",
        "2:8: invalid value '10.0.0.0/99' for '--peer <CIDR>': expected an address",
    ),
    ("[filters]\ncause = [\"close_unraed\"]", "2:9: invalid value 'close_unraed' for '--cause <CAUSE>'"),
    ("[filters]\nchildren = 1", "2:12: children: expected true or false, found an integer"),
    ("[filters]\nchildren = true", "--children follows the processes of --pid or COMMAND"),
    ("[filters]\nmin-unread = \"10\"", "2:14: min-unread: expected an integer, found a string"),
    ("[filters]\nseverity = \"terrible\"", "2:12: invalid value 'terrible' for '--severity <LEVEL>'"),
    ("[output]\naudit = 60", "2:9: audit: expected a string in quotes, found an integer"),
    ("[output]\naudit = \"60\"", "2:9: invalid value '60' for '--audit <TIME>': expected a number and a unit"),
    ("[output]\nformat = \"xml\"", "2:10: invalid value 'xml' for '--format <FORMAT>'"),
    ("[output]\nstack-depth = 65", "2:15: invalid value '65' for '--stack-depth <FRAMES>': 65 is not in 0..=64"),
    (
        "[output]\nfail-on = [\"linger_zero\"]\n[filters]\ncause = [\"close_unread\"]",
        "--fail-on linger_zero would never apply",
    ),
    ("[kernel]\nring-size = 5000", "2:13: invalid value '5000' for '--ring-size <BYTES>': expected a power of two"),
    ("[kernel]\nhooks = \"magic\"", "2:9: invalid value 'magic' for '--hooks <PLAN>'"),
    ("[kernel]\nlatency = 1.5", "2:11: latency: expected an integer, found a float"),
    ("[filters]\nuid = [1,", "2:10: "),
    ("[filters]\nuid = [1]\nuid = [2]", "3:1: duplicate key"),
    ("[[sink.fiel]]\npath = \"/a\"", "1:8: unknown key fiel; did you mean file?"),
    ("[[sink.file]]\npaht = \"/a\"", "2:1: unknown key paht; did you mean path?"),
    ("[[sink.file]]\nkeep = 3", "1:1: missing field `path`"),
    (
        "[[sink.file]]\npath = \"/a\"\nmax-size = \"5 parsecs\"",
        "3:12: expected a number of bytes with or without a unit",
    ),
    ("[[sink.syslog]]\naddress = \"udp:a:1\"", "2:11: expected unix:/path/of/socket or tcp:host:port"),
    ("[[sink.syslog]]\nfacility = \"kern\"", "2:12: unknown variant `kern`, expected one of `user`, `mail`"),
    ("[[sink.prometheus]]\nlisten = \"everywhere\"", "2:10: invalid socket address syntax"),
];

#[test]
fn a_wrong_file_is_told_where_and_how() {
    let told = WRONG.map(|(text, expected)| (text, expected, Written::new(text).refusal()));
    let missing: Vec<_> = told.iter().filter(|(_, expected, told)| !told.contains(expected)).collect();
    assert!(missing.is_empty(), "(file, expected, told): {missing:#?}");
}

#[test]
fn all_that_is_wrong_is_told_in_its_order() {
    let refusal = Written::new("[output]\naudit = 1\n[filters]\npid = 1\n[[sink.file]]\n").refusal();
    let places: Vec<&str> = refusal.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["2:9", "4:7", "5:1"], "{refusal}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_a_remedy() {
    let argument = FileArgument { file: "/nonexistent/config.toml".into() };
    let error = format!("{:#}", ConfigArguments { what: What::Check(argument) }.answer().unwrap_err());
    assert!(error.contains("/nonexistent/config.toml") && error.contains("config default"), "{error}");
}
