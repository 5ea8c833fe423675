//! `appliance logs` and `appliance errors`: what the installed portal says, as a person reads it.
//!
//! The journal of systemd keeps it; the portal writes a line of JSON for each thing.

use std::{fmt::Write, ops::ControlFlow};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Exit, Failure,
    output::{self, Color, colored},
    service,
};
use crate::{
    error::Result,
    host::{
        journal::{self, Entry, WARNING, Wanted},
        owner,
        places::SERVICE,
    },
};

const LINES: u32 = 100;
const LINES_FOLLOWED: u32 = 20;
const ERRORS_MAX: usize = 50;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// From this time on: 2h, 3d, yesterday, 10:00, "2026-11-22 10:00"
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only lines that contain this text, in any case
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// The last so many lines [default: 100; 20 with --follow; all with --since]
    #[arg(short = 'n', long, value_name = "COUNT")]
    lines: Option<u32>,
    /// Print one JSON object for each line
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    service::installed()?;
    let since = arguments.since.as_deref().map(journal_time);
    let lines = arguments.lines.or(match (&since, &arguments.grep, arguments.follow) {
        (Some(_), ..) | (_, Some(_), false) => None,
        (None, _, true) => Some(LINES_FOLLOWED),
        (None, None, false) => Some(LINES),
    });
    let wanted = Wanted {
        unit: SERVICE,
        since: since.as_deref(),
        lines,
        follows: arguments.follow,
        is_reversed: false,
    };
    let sought = arguments.grep.as_deref().map(str::to_lowercase);
    let mut is_silent = true;
    journal::read(&wanted, |entry| {
        let said = Said::of(&entry);
        if sought.as_ref().is_none_or(|sought| said.plain().to_lowercase().contains(sought)) {
            is_silent = false;
            said.print(arguments.json).map_err(|failure| anyhow::anyhow!(failure.sentence()))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if is_silent && !arguments.json {
        output::print(&format!("Nothing of that kind is in the log.{}\n", perhaps_hidden()))?;
    }
    Ok(Exit::Done)
}

#[derive(Debug, Args)]
pub struct ErrorsArguments {
    /// From this time on: 2h, 3d, yesterday, 10:00, "2026-11-22 10:00"
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Print one JSON object for each error
    #[arg(long)]
    json: bool,
}

/// The last errors; exit code 3 when there are any.
pub fn run_errors(arguments: &ErrorsArguments) -> Result<Exit, Failure> {
    service::installed()?;
    let since = arguments.since.as_deref().map(journal_time);
    // From the end, for it is long: a line for each request.
    let wanted =
        Wanted { unit: SERVICE, since: since.as_deref(), is_reversed: true, ..Wanted::default() };
    let mut last = Vec::with_capacity(ERRORS_MAX);
    journal::read(&wanted, |entry| {
        last.extend(Some(Said::of(&entry)).filter(Said::is_error));
        Ok(match last.len() {
            ERRORS_MAX => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    })?;
    for said in last.iter().rev() {
        said.print(arguments.json)?;
    }
    if last.is_empty() && !arguments.json {
        let words = colored("No errors are in the log.", Color::Green);
        output::print(&format!("{words}{}\n", perhaps_hidden()))?;
    }
    Ok(if last.is_empty() { Exit::Done } else { Exit::Partly })
}

/// The journal shows the log of a service to few.
fn perhaps_hidden() -> &'static str {
    match owner::own_user() {
        0 => "",
        _ => " Only root, and the groups adm and systemd-journal, see all of it: use sudo.",
    }
}

/// `2h` as journalctl understands it; everything else it understands by itself.
fn journal_time(text: &str) -> String {
    // For systemd, "m" alone is a minute too.
    let number = text.strip_suffix(['s', 'm', 'h', 'd', 'w']);
    let is_ago = number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_ago { format!("-{text}") } else { text.into() }
}

/// One thing that the portal said, or systemd about it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    pub at: Timestamp,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    pub message: String,
    /// What belongs to it, such as the path of a request.
    pub fields: Map<String, Value>,
    /// True for what systemd says about the service.
    pub is_of_systemd: bool,
}

impl Said {
    pub fn of(entry: &Entry) -> Self {
        let of_journal = || {
            let text = entry.message.trim_end();
            let is_error = text.starts_with("error: ");
            let level = match entry.priority {
                _ if is_error => "ERROR",
                // systemd warns when the service has failed, and it has.
                0..=3 => "ERROR",
                WARNING if entry.is_about => "ERROR",
                WARNING => "WARN",
                5 | 6 => "INFO",
                _ => "DEBUG",
            };
            Said {
                at: entry.at,
                level: level.into(),
                message: text.into(),
                fields: Map::new(),
                is_of_systemd: entry.is_about,
            }
        };
        let Ok(Value::Object(mut fields)) = serde_json::from_str(&entry.message) else {
            return of_journal();
        };
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (level, message) = (text(fields.remove("level")), text(fields.remove("message")));
        let target = text(fields.remove("target"));
        // What is only fields, such as a request, is named after the part that said it.
        let (Some(level), Some(message)) = (level, message.or(target)) else { return of_journal() };
        fields.remove("timestamp");
        Said { at: entry.at, level, message, fields, is_of_systemd: false }
    }

    pub fn is_error(&self) -> bool {
        self.level == "ERROR"
    }

    /// Without time and level.
    fn plain(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // Writing into a text cannot fail.
            let _written = write!(text, "  {name}={value}");
        }
        text
    }

    fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            return output::print(&format!("{}\n", json!(self)));
        }
        let at = self.at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let level = format!("{:5}", self.level);
        let level = match self.level.as_str() {
            "ERROR" => colored(&level, Color::Red),
            "WARN" => colored(&level, Color::Yellow),
            "INFO" => level,
            _ => colored(&level, Color::Dim),
        };
        let source = if self.is_of_systemd { "systemd: " } else { "" };
        let at = colored(&at, Color::Dim);
        output::print(&format!("{at} {level} {source}{}\n", self.plain()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, priority: u8, is_about: bool) -> Said {
        let at = Timestamp::from_second(1_795_000_000).unwrap();
        Said::of(&Entry { at, priority, message: message.into(), is_about })
    }

    #[test]
    fn lines_of_the_log_become_readable() {
        let line = r#"{"timestamp":"2026-11-22T10:00:00Z","level":"WARN","message":"it is slow",
                       "target":"appliance::app","path":"/x","ms":7}"#;
        let warned = said(&line.replace('\n', " "), 6, false);
        assert_eq!(warned.plain(), "it is slow  ms=7  path=/x");
        assert!(warned.level == "WARN" && !warned.is_error());
        assert!(said("error: Port 80 is in use.", 6, false).is_error());
        assert!(said("appliance.service: Watchdog timeout!", WARNING, true).is_error());
        assert!(!said("Started appliance.service.", 6, true).is_error());
    }

    #[test]
    fn times_are_said_in_a_short_way_too() {
        assert_eq!(journal_time("2h"), "-2h");
        assert_eq!(journal_time("yesterday"), "yesterday");
        assert_eq!(journal_time("10:00"), "10:00");
        assert_eq!(journal_time("d"), "d");
        assert_eq!(journal_time("2ч"), "2ч");
        assert_eq!(journal_time(""), "");
    }
}
