//! Why a file could not be read, in words for the person who uploaded it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What stood in the way. `sentence` is for people; whether another try makes sense is `is_final`.
#[derive(Debug)]
pub enum ExtractError {
    /// The file says so itself: protected, damaged, too large, or of a kind nobody here reads.
    Refused(Refusal),
    /// It needed more computing time (`cpu`) or more patience than it was given.
    TimedOut { cpu: bool },
    /// It needed more memory than it was given.
    OutOfMemory,
    /// The reader fell over it; the text is what it last said, for the operator.
    Crashed(String),
    /// Too many others are being read.
    Busy,
    /// The reader was stopped from outside (a restart, a machine short of memory).
    Interrupted,
    /// The reader could not be started, or the machine failed.
    Internal(anyhow::Error),
}

/// What the reader itself found wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Empty,
    Encrypted,
    /// Damaged, or not what its name says; the text is a clause that completes "the file is
    /// damaged: …".
    Broken(String),
    /// Above a limit; the text is a whole sentence.
    TooLarge(String),
    /// Such files are stored and downloaded only.
    Unsupported,
    /// The page that was asked for does not exist.
    NoSuchPage,
    /// The kernel gave the reader no system call filter: a fault of the machine, which lasts.
    Unsandboxed,
}

impl ExtractError {
    /// One or two sentences for the person who looks at the document.
    pub fn sentence(&self) -> String {
        match self {
            ExtractError::Refused(refusal) => refusal.sentence(),
            ExtractError::TimedOut { .. } => "Reading the file took too long.".into(),
            ExtractError::OutOfMemory => "Reading the file takes too much memory.".into(),
            ExtractError::Crashed(_) => "The file could not be read; it may be damaged.".into(),
            ExtractError::Busy => "Too many files are being read at the moment.".into(),
            ExtractError::Interrupted => "Reading the file was interrupted.".into(),
            ExtractError::Internal(_) => {
                "The file could not be read because of a fault on our side.".into()
            }
        }
    }

    /// Whether the same file would fail in the same way again, so that a retry makes no sense
    /// before somebody has changed something.
    pub fn is_final(&self) -> bool {
        match self {
            ExtractError::Refused(_)
            | ExtractError::OutOfMemory
            | ExtractError::Crashed(_)
            | ExtractError::TimedOut { cpu: true } => true,
            // A slow disk or a busy machine can be to blame for these.
            ExtractError::TimedOut { cpu: false }
            | ExtractError::Busy
            | ExtractError::Interrupted
            | ExtractError::Internal(_) => false,
        }
    }
}

impl Refusal {
    pub fn sentence(&self) -> String {
        match self {
            Refusal::Empty => "The file is empty.".into(),
            Refusal::Encrypted => "The file is protected with a password.".into(),
            Refusal::Broken(clause) if clause.is_empty() => "The file is damaged.".into(),
            Refusal::Broken(clause) => format!("The file is damaged: {clause}."),
            Refusal::TooLarge(sentence) => sentence.clone(),
            Refusal::Unsupported => "Files of this kind are stored, but cannot be read.".into(),
            Refusal::NoSuchPage => "The file has no such page.".into(),
            Refusal::Unsandboxed => "Files are not read on this machine, because it cannot lock \
                                     the reader in. Your administrator learns from “appliance \
                                     doctor” what to do."
                .into(),
        }
    }

    pub fn broken(clause: impl Into<String>) -> Self {
        Refusal::Broken(clause.into())
    }
}

/// For the operator: the sentence with the detail behind it.
impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())?;
        match self {
            ExtractError::Crashed(last_words) if !last_words.is_empty() => {
                write!(f, " ({last_words})")
            }
            ExtractError::TimedOut { cpu: true } => f.write_str(" (computing time)"),
            ExtractError::Internal(chain) => write!(f, " ({chain:#})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ExtractError {}

impl From<Refusal> for ExtractError {
    fn from(refusal: Refusal) -> Self {
        ExtractError::Refused(refusal)
    }
}
