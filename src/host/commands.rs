//! Runs the programs of the machine: systemctl, useradd, ufw.

use std::{
    ffi::OsStr,
    io,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, anyhow};

use crate::error::Result;

/// How a program ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub is_success: bool,
    /// What it wrote to its standard output.
    pub out: String,
    /// What it wrote to its standard error.
    pub err: String,
}

/// Runs a program to its end, however it ends; `None` when there is no such program here.
pub fn attempt<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<Option<Ended>> {
    let mut command = Command::new(program);
    // Its words are read by programs and by people alike; the plain language serves both.
    command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    match command.output() {
        Ok(Output { status, stdout, stderr }) => Ok(Some(Ended {
            is_success: status.success(),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("starting {program}"))?,
    }
}

/// Runs a program that has to succeed, and gives what it wrote.
///
/// # Errors
/// With the program's own words when it failed.
pub fn run<const N: usize>(program: &str, arguments: [&str; N]) -> Result<String> {
    let called = || format!("{program} {}", arguments.join(" "));
    match attempt(program, arguments)? {
        Some(Ended { is_success: true, out, .. }) => Ok(out),
        Some(Ended { out, err, .. }) => {
            let said = if err.trim().is_empty() { out } else { err };
            Err(anyhow!("{}", said.trim().replace('\n', "; ")).context(called()).into())
        }
        None => Err(anyhow!("this machine has no program “{program}”").context(called()).into()),
    }
}
