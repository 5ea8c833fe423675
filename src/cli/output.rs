//! What verbs write: plain lines, aligned tables, JSON; colors only for a terminal.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, anyhow};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::Failure;
pub use crate::size::counted;

/// Writes to the standard output, and ends the program when nobody reads it any more.
#[expect(clippy::disallowed_methods, reason = "nothing is left to be closed: nobody reads on")]
pub fn print(text: &str) -> Result<(), Failure> {
    match write(text) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written.context("writing to the standard output")?),
    }
}

pub fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|fault| anyhow!(fault))?;
    print(&format!("{json}\n"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Green,
    Yellow,
    Red,
    Dim,
}

/// Colors a text when the standard output is a terminal.
pub fn colored(text: &str, color: Color) -> String {
    if !io::stdout().is_terminal() || !may_color() {
        return text.into();
    }
    let code = match color {
        Color::Green => "32",
        Color::Yellow => "33",
        Color::Red => "31",
        Color::Dim => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// See <https://no-color.org>.
pub fn may_color() -> bool {
    let is_unset = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    is_unset && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Rows below their titles, each column as wide as its widest cell.
pub fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = titles.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut text = colored(&aligned(&titles.map(String::from), &widths), Color::Dim);
    text.push('\n');
    for row in rows {
        text.push_str(&aligned(row, &widths));
        text.push('\n');
    }
    text
}

fn aligned<const N: usize>(row: &[String; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (cell, widest) in row.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', widest - width(cell) + 2));
    }
    line.trim_end().to_owned()
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// In the time zone of this machine, to the minute.
pub fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
