//! Where recorded events come from: a store, files of lines (rotated, compressed), or standard input. Whatever it is,
//! the views get a store.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    diagnose::diagnose,
    event::{Event, SCHEMA},
    store::{Recorder, Store},
};

/// Events that are taken over at a time.
const BATCH: usize = 4_096;

/// Bytes that a line has at most; what is longer is no event of ours.
const LONGEST_LINE: u64 = 16 << 20;

/// Wrong lines that are told each.
const TOLD: u64 = 5;

/// The first bytes of SQLite's files, of Zstandard's and of gzip's.
const SQLITE: &[u8] = b"SQLite format 3\0";
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Lines that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Events.
    pub events: u64,
    /// Lines that are no events of a format that is known; they were told and left out.
    pub wrong: u64,
}

/// The events of files, `-` for standard input. One store is used as it is; lines are brought into a temporary one.
///
/// # Errors
/// When a file cannot be read, or there is none.
pub fn open(paths: &[PathBuf]) -> Result<Store> {
    if let [path] = paths
        && is_store(path)?
    {
        return Store::open(path);
    }
    if paths.is_empty() {
        bail!("no events to look at: name a store (--store PATH) or files of lines, - for standard input");
    }
    let mut into = Recorder::on_disk().context("cannot make a temporary store")?;
    for path in paths {
        if is_store(path)? {
            bail!("{} is a store: it goes alone, not with other files", path.display());
        }
        let mut batch = Vec::with_capacity(BATCH);
        let lines = read(path, |event| {
            batch.push(event);
            if batch.len() == BATCH {
                into.append(&batch).context("cannot keep the events in a temporary file")?;
                batch.clear();
            }
            Ok(true)
        })?;
        into.append(&batch).context("cannot keep the events in a temporary file")?;
        if lines.wrong > 0 {
            diagnose(format_args!("{}: {} lines left out", path.display(), lines.wrong));
        }
    }
    Ok(into.into_store())
}

/// Whether a file is a store.
///
/// # Errors
/// When it cannot be read.
pub fn is_store(path: &Path) -> Result<bool> {
    if path.as_os_str() == "-" || !path.is_file() {
        return Ok(false);
    }
    let mut first = Vec::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.by_ref()
        .take(SQLITE.len() as u64)
        .read_to_end(&mut first)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(first == SQLITE)
}

/// Reads the events of a file of lines one by one; `each` says whether to go on. Lines that are wrong are left out,
/// counted and told.
///
/// # Errors
/// When the file cannot be read, and those of `each`.
pub fn read(path: &Path, each: impl FnMut(Event) -> Result<bool>) -> Result<Lines> {
    let reading = || format!("cannot read {}", path.display());
    if path.as_os_str() == "-" {
        return lines(&mut unpacked(BufReader::new(io::stdin()))?, "standard input", each);
    }
    let file = File::open(path).with_context(reading)?;
    lines(&mut unpacked(BufReader::new(file)).with_context(reading)?, &path.display().to_string(), each)
        .with_context(reading)
}

/// What is compressed, unpacked.
fn unpacked<R: BufRead + 'static>(mut reader: R) -> io::Result<Box<dyn BufRead>> {
    let first = reader.fill_buf()?;
    if first.starts_with(ZSTD) {
        return Ok(Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(reader)?)));
    }
    if first.starts_with(GZIP) {
        return Ok(Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(reader))));
    }
    Ok(Box::new(reader))
}

fn lines(reader: &mut dyn BufRead, name: &str, mut each: impl FnMut(Event) -> Result<bool>) -> Result<Lines> {
    let mut lines = Lines::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if reader.take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match parse(&line) {
            Ok(event) => {
                lines.events += 1;
                if !each(event)? {
                    break;
                }
            }
            Err(error) => {
                lines.wrong += 1;
                if lines.wrong <= TOLD {
                    diagnose(format_args!("{name}: line {number}: {error}"));
                }
                // The rest of a line that is too long.
                while line.last() != Some(&b'\n') {
                    line.clear();
                    if reader.take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                        break;
                    }
                }
            }
        }
    }
    Ok(lines)
}

/// The event of a line. Within a major version fields are only added, so that what is not known is left out.
///
/// # Errors
/// When it is none, or of another major version; in words.
pub fn parse(line: &[u8]) -> Result<Event, String> {
    let event: Event = serde_json::from_slice(line).map_err(|error| format!("no event: {error}"))?;
    let major = |schema: &str| schema.split('.').next().map(str::to_owned);
    if major(&event.schema) != major(SCHEMA) {
        return Err(format!("of format {}, and this program reads {SCHEMA}", event.schema));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;
    use crate::{
        fixture::{FLEET, Folder},
        store::Selection,
    };

    fn file(folder: &Folder, name: &str, content: &[u8]) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn count(store: &Store) -> usize {
        let mut count = 0;
        let all = Selection { all_types: true, ..Selection::default() };
        store
            .events(&all, |_| {
                count += 1;
                Ok(true)
            })
            .unwrap();
        count
    }

    #[test]
    fn compressed_lines_are_the_same_as_plain_ones() {
        let folder = Folder::new("compressed");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(FLEET.as_bytes()).unwrap();
        let files = [
            file(&folder, "plain", FLEET.as_bytes()),
            file(&folder, "zstd", &zstd::encode_all(FLEET.as_bytes(), 1).unwrap()),
            file(&folder, "gzip", &gzip.finish().unwrap()),
        ];
        let all = FLEET.lines().count();
        for path in &files {
            assert_eq!(count(&open(std::slice::from_ref(path)).unwrap()), all, "{}", path.display());
        }
        assert_eq!(count(&open(&files).unwrap()), 3 * all, "several files");
    }

    #[test]
    fn wrong_lines_are_counted_and_the_others_are_read() {
        let good = FLEET.lines().next().unwrap();
        let text = format!(
            "{good}\nnot json\n\n{}\n{good}\n{{\"schema\":\"x\"}}\n{}",
            good.replace("conn-observer/1", "conn-observer/2"),
            &good[..40]
        );
        let folder = Folder::new("wrong");
        let path = file(&folder, "wrong", text.as_bytes());
        let mut events = 0;
        let lines = read(&path, |_| {
            events += 1;
            Ok(true)
        });
        assert_eq!(lines.unwrap(), Lines { events: 2, wrong: 4 });
        assert_eq!(events, 2);
    }

    #[test]
    fn a_line_with_a_time_an_address_or_an_id_that_is_none_is_wrong_and_the_error_has_it() {
        let finding = FLEET.lines().find(|line| line.contains("reset_id")).unwrap();
        parse(finding.as_bytes()).unwrap();
        for (path, what) in [("/time", "time"), ("/network/peer/address", "address"), ("/tcp/reset_id", "id")] {
            let mut line: serde_json::Value = serde_json::from_str(finding).unwrap();
            *line.pointer_mut(path).unwrap() = "soon".into();
            let told = parse(line.to_string().as_bytes()).unwrap_err();
            assert!(told.contains(&format!("cannot read the {what} \"soon\"")), "{told}");
        }
    }

    #[test]
    fn events_of_older_and_newer_programs_of_this_major_version_are_read() {
        let mut read = Vec::new();
        let folder = Folder::new("v1");
        let path = file(&folder, "v1", include_bytes!("../../tests/peers/events/v1.ndjson"));
        let lines = super::read(&path, |event| {
            read.push(event);
            Ok(true)
        });
        // One of each type as the first version wrote it; the same with fields that come later; a type that comes later.
        assert_eq!(lines.unwrap(), Lines { events: 11, wrong: 1 });
        let names: Vec<&str> = read.iter().map(|event| event.body.name()).collect();
        assert_eq!(
            names,
            [
                "started",
                "close",
                "reset_sent",
                "reset_received",
                "churn",
                "reloaded",
                "loss",
                "audit",
                "stopped",
                "close",
                "loss"
            ]
        );
        let finding = |event: &Event| event.body.finding().unwrap().clone();
        assert_eq!(finding(&read[1]), finding(&read[9]), "what is not known changes nothing else");
        // And what a store keeps of them comes back.
        assert_eq!(count(&open(std::slice::from_ref(&path)).unwrap()), 11);
    }

    #[test]
    fn nothing_to_look_at_is_said() {
        let told = |paths: &[PathBuf]| format!("{:#}", open(paths).err().unwrap());
        assert!(told(&[]).contains("name a store"));
        assert!(told(&["/nonexistent/x".into()]).contains("cannot read /nonexistent/x"));
    }
}
