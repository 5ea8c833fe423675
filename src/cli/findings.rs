//! Findings on a terminal: each with a word for how bad it is, and with what to do about it.

use super::output::{self, Color, colored};
use crate::app::{Finding, Level};

pub fn lines(findings: &[Finding]) -> String {
    let widest = findings.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let (word, color) = match finding.level {
            Level::Fine => ("fine    ", Color::Green),
            Level::Warning => ("warning ", Color::Yellow),
            Level::Problem => ("problem ", Color::Red),
        };
        let Finding { about, message, remedy, .. } = finding;
        text.push_str(&format!("{} {about:widest$}  {message}\n", colored(word, color)));
        if let Some(remedy) = remedy {
            text.push_str(&format!("{:9}{:widest$}  → {remedy}\n", "", ""));
        }
    }
    text
}

/// How many are not fine; one line.
pub fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count() as u64;
    match (count(Level::Problem), count(Level::Warning)) {
        (0, 0) => "All is well.".into(),
        (problems, warnings) => format!(
            "{}, {}.",
            output::counted(problems, "problem", "problems"),
            output::counted(warnings, "warning", "warnings")
        ),
    }
}

pub fn has_problem(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Problem)
}
