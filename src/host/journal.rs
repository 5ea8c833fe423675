//! The log of a service, as the journal of systemd keeps it.

use std::{
    io::{BufRead, BufReader},
    ops::ControlFlow,
    process::Stdio,
};

use anyhow::Context;
use jiff::Timestamp;
use serde_json::Value;

use super::commands;
use crate::error::{Error, Result};

/// From here on an entry is worth a look, as syslog counts: 4 is "warning", 3 is "error".
pub const WARNING: u8 = 4;

/// What is wanted of the journal.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    pub unit: &'a str,
    /// As journalctl understands it, such as `2026-11-22 10:00` or `-2h`.
    pub since: Option<&'a str>,
    /// The last so many lines; all when `None`.
    pub lines: Option<u32>,
    /// Go on with what comes.
    pub follows: bool,
    /// The newest first.
    pub is_reversed: bool,
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    /// From 0, "emergency", to 7, "debug".
    pub priority: u8,
    pub message: String,
    /// Said by systemd about the service, not by the service itself.
    pub is_about: bool,
}

/// Waits until what services have said is in the journal, as far as that can be waited for.
pub fn catch_up() {
    // Without it the last words may be missing, and nothing else.
    let _caught_up = commands::attempt("journalctl", ["--sync"]);
}

/// Hands over the entries, oldest first, until there are no more or `each` has enough.
///
/// # Errors
/// `Invalid` with the words of journalctl, such as about a time that it does not understand.
pub fn read(wanted: &Wanted, mut each: impl FnMut(Entry) -> Result<ControlFlow<()>>) -> Result<()> {
    let mut command = commands::of_machine("journalctl");
    command.args(["--unit", wanted.unit, "--output", "json", "--no-pager", "--quiet"]);
    if let Some(since) = wanted.since {
        command.arg(format!("--since={since}"));
    }
    match wanted.lines {
        Some(lines) => command.arg(format!("--lines={lines}")),
        None => command.arg("--lines=all"),
    };
    if wanted.follows {
        command.arg("--follow");
    }
    if wanted.is_reversed {
        command.arg("--reverse");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting journalctl")?;
    let out = child.stdout.take().context("journalctl has no output")?;
    for line in BufReader::new(out).lines() {
        let line = line.context("reading what journalctl writes")?;
        let Some(entry) = entry(&line) else { continue };
        if each(entry)?.is_break() {
            // It is of no more use.
            let _ended = child.kill();
            child.wait().context("waiting for journalctl")?;
            return Ok(());
        }
    }
    let ended = child.wait_with_output().context("waiting for journalctl")?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(Error::invalid(format!(
        "The journal cannot be read: {}.",
        said.trim().trim_end_matches('.')
    )))
}

/// An entry from its fields (systemd.journal-fields(7)).
fn entry(line: &str) -> Option<Entry> {
    let fields: Value = serde_json::from_str(line).ok()?;
    let microseconds = fields["__REALTIME_TIMESTAMP"].as_str()?.parse().ok()?;
    Some(Entry {
        at: Timestamp::from_microsecond(microseconds).ok()?,
        priority: fields["PRIORITY"].as_str().and_then(|level| level.parse().ok()).unwrap_or(6),
        message: text(&fields["MESSAGE"]),
        is_about: fields["_PID"] == "1",
    })
}

/// What is not plain text comes as a list of bytes.
fn text(message: &Value) -> String {
    match message {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let bytes: Vec<u8> =
                bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_journal_are_understood() {
        let line = r#"{"__REALTIME_TIMESTAMP":"1795000000000000","PRIORITY":"4","_PID":"1",
                       "MESSAGE":"appliance.service: Watchdog timeout!"}"#;
        let entry = entry(&line.replace('\n', " ")).unwrap();
        assert!(entry.is_about && entry.priority == WARNING);
        assert_eq!(entry.message, "appliance.service: Watchdog timeout!");
        let bytes = r#"{"__REALTIME_TIMESTAMP":"1795000000000000","MESSAGE":[104,105,255]}"#;
        assert_eq!(super::entry(bytes).unwrap().message, "hi\u{fffd}");
        assert_eq!(super::entry("no JSON"), None);
    }
}
