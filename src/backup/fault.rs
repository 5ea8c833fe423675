//! What may be wrong with a backup, as sentences for whoever wants it back.

use std::{fmt, io};

use serde_json::Value;

use super::sealing::WORK_LOG2_MAX;
use crate::{error::Error, version};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin like one.
    NotABackup,
    /// Its format is of a later version.
    Future {
        found: u32,
        known: u32,
    },
    /// Its records are of a later version.
    FutureRecords(u32),
    /// Encrypted, and no key was given.
    Locked,
    WrongKey,
    WrongPassphrase,
    /// It ends too early.
    CutOff,
    /// Its manifest is damaged, and without it nobody knows what should be there.
    NoManifest,
    /// It is damaged, and something came out of it that its manifest does not name.
    Foreign,
    /// It has a signature, which is not one of it.
    Forged,
    /// It has more of something than any portal writes.
    Excessive(&'static str),
    /// Trying its passphrase would cost 2^n rounds of scrypt.
    ExcessiveWork(u8),
}

impl Fault {
    pub fn if_later(found: u32, known: u32) -> Result<(), Self> {
        if found > known { Err(Fault::Future { found, known }) } else { Ok(()) }
    }

    /// The same for what was not read yet: all of a later format but its number may be new.
    pub(super) fn if_of_later_format(json: &Value, known: u32) -> Result<(), Self> {
        let found = json.get("format").and_then(Value::as_u64).unwrap_or(0);
        Fault::if_later(u32::try_from(found).unwrap_or(u32::MAX), known)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotABackup => {
                f.write_str("This is no backup of a portal, or its beginning is damaged.")
            }
            Fault::Future { found, known } => write!(
                f,
                "This backup has format {found}, which a later version wrote. This is version {} \
                 and reads formats up to {known}: update it first.",
                version::number(),
            ),
            Fault::FutureRecords(number) => write!(
                f,
                "The records of this backup (number {number}) are of a later version. This is \
                 version {} and reads them up to {}: update it first.",
                version::number(),
                version::records()
            ),
            Fault::Locked => f.write_str(
                "This backup is encrypted. Give its passphrase (--passphrase-file) or its key \
                 (--identity-file).",
            ),
            Fault::WrongKey => f.write_str("This key does not open the backup."),
            Fault::WrongPassphrase => f.write_str("The passphrase is wrong."),
            Fault::CutOff => {
                f.write_str("This backup is cut off: its end is missing. Use another one.")
            }
            Fault::NoManifest => {
                f.write_str("The manifest of this backup is damaged. Use another one.")
            }
            Fault::Foreign => f.write_str(
                "This backup is damaged, and what was read behind the damage is not all of the \
                 backup itself. Save it as a file and restore that, or use another one.",
            ),
            Fault::Forged => f.write_str(
                "The signature of this backup is not one of it: somebody has changed the backup. Use \
                 another one.",
            ),
            Fault::Excessive(what) => write!(
                f,
                "This backup was not made by a portal, or somebody has changed it: {what}. Nothing \
                 was changed. Use another one."
            ),
            Fault::ExcessiveWork(log2) => write!(
                f,
                "Trying a passphrase on this backup would take 2^{log2} rounds of scrypt, and with \
                 them this machine's memory; no portal asks for more than 2^{WORK_LOG2_MAX}. Open it \
                 with “age --decrypt” where there is enough, and restore what comes out."
            ),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::invalid(fault.to_string())
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }
}
