//! Runs the programs of the machine: systemctl, useradd, ufw.

use std::{
    env,
    ffi::OsStr,
    io::{self, Read},
    process::{Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};

use crate::error::Result;

/// Where the programs of root are, which not every shell of root looks through.
const FOLDERS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PAUSE: Duration = Duration::from_millis(10);
/// What was written before the end is there by then.
const AFTER_END: Duration = Duration::from_secs(2);

/// How a program ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub is_success: bool,
    /// What it wrote to its standard output.
    pub out: String,
    /// What it wrote to its standard error.
    pub err: String,
}

/// A program of the machine, found also where the variable `PATH` leaves out folders of root. Its words
/// are read by programs and by people alike; the plain language serves both.
pub fn of_machine(program: &str) -> Command {
    let path = match env::var("PATH") {
        // An empty part of it would be the working folder.
        Ok(path) if !path.is_empty() => format!("{path}:{FOLDERS}"),
        _ => FOLDERS.to_owned(),
    };
    let mut command = Command::new(program);
    command.env("PATH", path).env("LC_ALL", "C.UTF-8");
    command
}

/// Runs a program to its end, however it ends; `None` when there is no such program here.
pub fn attempt<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<Option<Ended>> {
    let mut command = of_machine(program);
    command.args(arguments).stdin(Stdio::null());
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

/// Runs a program that nobody vouches for, for so long at most, and keeps so much of each of its outputs;
/// `None` when it was ended because it took too long.
pub fn attempt_within(
    limit: Duration,
    bytes_max: u64,
    mut command: Command,
) -> Result<Option<Ended>> {
    let called = command.get_program().to_string_lossy().into_owned();
    command.env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {called}"))?;
    let out = heard(child.stdout.take(), bytes_max);
    let err = heard(child.stderr.take(), bytes_max);
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("awaiting {called}"))? {
            break Some(status);
        }
        if begin.elapsed() > limit {
            child.kill().with_context(|| format!("ending {called}"))?;
            child.wait().with_context(|| format!("ending {called}"))?;
            break None;
        }
        std::thread::sleep(PAUSE);
    };
    // A process that it left behind may hold its outputs open for good.
    let rest = |outputs: Receiver<Vec<u8>>| {
        let bytes = outputs.recv_timeout(AFTER_END).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(status.map(|status| Ended { is_success: status.success(), out: rest(out), err: rest(err) }))
}

/// The beginning of an output, when it is over. Who writes more is told that nobody listens.
fn heard(output: Option<impl Read + Send + 'static>, bytes_max: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a fault counts all the same.
        let _read = output.map(|output| output.take(bytes_max).read_to_end(&mut bytes));
        let _nobody_waits = sender.send(bytes);
    });
    receiver
}

/// Runs a program that has to succeed, and gives what it wrote.
///
/// # Errors
/// With the program's own words when it failed.
pub fn run<'a>(program: &str, arguments: impl AsRef<[&'a str]>) -> Result<String> {
    let arguments = arguments.as_ref();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_nobody_vouches_for_takes_neither_time_nor_memory_without_limit() {
        let (second, long) = (Duration::from_secs(1), Duration::from_secs(60));
        let ended = attempt_within(long, 1_000, shell("echo out; echo err >&2; exit 3"));
        let ended = ended.unwrap().unwrap();
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("out\n", "err\n"));
        assert!(!ended.is_success);
        let begin = Instant::now();
        assert_eq!(attempt_within(second, 1_000, shell("exec sleep 600")).unwrap(), None);
        // One that leaves a process behind, which holds its outputs.
        attempt_within(long, 1_000, shell("sleep 30 & exit 0")).unwrap().unwrap();
        let endless = attempt_within(long, 1_000, shell("exec yes")).unwrap().unwrap();
        assert_eq!(endless.out.len(), 1_000);
        assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    }
}
