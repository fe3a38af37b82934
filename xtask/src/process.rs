//! Runs other programs: every failure names the command line and what the program said.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The command line as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs with our own output; an error unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs silently and gives the standard output; the error carries what the program wrote.
///
/// Where the caller set the standard error, that goes to the terminal instead.
pub(crate) fn read(command: &mut Command) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}\n{}", line(command), String::from_utf8_lossy(&stderr).trim());
    }
    Ok(stdout)
}

/// As [`read`], for programs that write text.
pub(crate) fn read_text(command: &mut Command) -> Result<String> {
    let bytes = read(command)?;
    String::from_utf8(bytes).with_context(|| format!("`{}` did not write UTF-8", line(command)))
}

/// Feeds `input` to a filter and gives what comes out.
///
/// The exit status is not looked at: `lz4 -dc` and `xz -dc` complain about the bytes that a bzImage leaves after
/// the stream. The caller knows the length to expect.
pub(crate) fn filter(command: &mut Command, input: Vec<u8>) -> Result<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    let stdin = child.stdin.take();
    // A filter writes while it still reads: one thread must feed while the other collects.
    let feeder = std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // The filter may stop before the end of its input; its output is what counts.
            let _ = stdin.write_all(&input);
        }
    });
    let output = child.wait_with_output().with_context(|| format!("`{}`", line(command)))?;
    let _ = feeder.join();
    Ok(output.stdout)
}

/// Runs while passing its standard output on line by line, and gives that output and whether it exited with 0.
pub(crate) fn tee(command: &mut Command) -> Result<(String, bool)> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{}`", line(command)))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("reading a program's output")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    let status = child.wait().with_context(|| format!("`{}`", line(command)))?;
    Ok((text, status.success()))
}
