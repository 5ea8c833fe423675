//! How a verb ends: exit codes, and what is printed when it failed.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use crate::{config::Problems, control::Refused, error::Error};

/// What the program tells the one that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// The command line or the configuration makes no sense.
    Usage = 2,
    /// Done, but not everything is well.
    Partly = 3,
    NotFound = 10,
    /// The port or the data are in use by another process.
    InUse = 11,
}

impl Exit {
    /// Of two things that were done, the one that went less well.
    pub fn and(self, other: Exit) -> Exit {
        if self == Exit::Done { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a verb ended early.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: Error,
}

impl Failure {
    pub fn new(exit: Exit, error: Error) -> Self {
        Failure { exit, error }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, Error::invalid(message))
    }

    pub fn in_use(message: impl Into<String>) -> Self {
        Failure::new(Exit::InUse, Error::Busy { message: message.into(), retry_after_s: 1 })
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Writes one line, and with `is_verbose` the causes below it.
    pub fn print(&self, is_verbose: bool) {
        let is_verbose = is_verbose || asks_for_debugging();
        let mut text = String::new();
        let is_colored = io::stderr().is_terminal() && super::output::may_color();
        text.push_str(if is_colored { "\x1b[1;31merror:\x1b[0m " } else { "error: " });
        text.push_str(&self.sentence());
        text.push('\n');
        if let Error::Internal(chain) = &self.error
            && is_verbose
        {
            for cause in chain.chain().skip(1) {
                text.push_str(&format!("  because: {cause}\n"));
            }
        }
        // Nowhere is left to complain to.
        let _unheard = io::stderr().write_all(text.as_bytes());
    }

    /// For a fault: what was being done, why it went wrong, and what to do when that is known.
    pub fn sentence(&self) -> String {
        let Error::Internal(chain) = &self.error else { return self.error.to_string() };
        let outermost = chain.to_string();
        let deepest = chain.root_cause().to_string();
        let mut sentence = match outermost == deepest {
            true => outermost,
            false => format!("{outermost}: {deepest}"),
        };
        if let Some(advice) = chain.chain().find_map(|cause| advice(cause.downcast_ref()?)) {
            sentence.push_str(". ");
            sentence.push_str(advice);
        }
        sentence
    }
}

fn advice(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Some("Run it as root, or as the user who owns the data folder.")
        }
        io::ErrorKind::StorageFull => Some("Make room on the disk."),
        io::ErrorKind::ReadOnlyFilesystem => Some("The disk can only be read; see “dmesg”."),
        _ => None,
    }
}

fn asks_for_debugging() -> bool {
    std::env::var("RUST_LOG").is_ok_and(|level| level.contains("debug") || level.contains("trace"))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error {
            Error::NotFound(_) => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::new(exit, error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(chain: anyhow::Error) -> Self {
        Failure::from(Error::from(chain))
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::InUse(error) => Failure::new(Exit::InUse, error),
            Refused::NoPortal(error) => Failure::new(Exit::NotFound, error),
            Refused::Failed(error) => Failure::from(error),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::new(Exit::Usage, problems.into())
    }
}
