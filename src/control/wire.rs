//! What the two sides say to each other: one line of JSON each time.

use std::path::PathBuf;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use super::{Account, Added, HttpsChange, Moved, NewAccount, Password, Status};
use crate::{
    app::{
        BackupWanted, Drilled, Exported, Finding, FoundBackups, HttpsStanding, ListedBackup, Made,
        PlanView, Report, ScrubReport, Step, StorageCheck,
    },
    backup::{Key, Pruned, Retention, SignerKey, Signers},
    config::Backend,
    domain::backups::Plan,
    error::{Error, Result},
};

/// A longer line is no request of ours. A password has at most a thousand characters.
pub(super) const REQUEST_BYTES_MAX: usize = 64 << 10;
/// A list of a hundred thousand people is some 30 MB.
pub(super) const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Everything that the command line can ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    Status,
    /// A new one-time link for the first administrator.
    SetupLink,
    UserAdd(NewAccount),
    UserList,
    UserPasswd {
        login: String,
        password: Password,
    },
    UserDisable {
        login: String,
    },
    UserEnable {
        login: String,
    },
    Reindex,
    /// With `deep`, every file is read and its hash compared.
    Check {
        deep: bool,
    },
    Doctor,
    /// How HTTPS stands.
    Https,
    SetHttps(HttpsChange),
    /// Makes the next attempt of what is missing or failed now.
    FetchCertificates,
    /// Writes, reads and searches once.
    Probe,
    BackUp(BackupWanted),
    /// Without a place, where the plan puts them.
    Backups {
        place: Option<String>,
        key: Key,
    },
    /// By which key the backups of this portal are known.
    BackupSigner,
    VerifyBackups {
        place: Option<String>,
        key: Key,
        signers: Signers,
        all_data: bool,
        mends: bool,
    },
    PruneBackups {
        place: Option<String>,
        key: Key,
        retention: Retention,
    },
    /// Takes the repository at a place for the right one.
    TrustRepository {
        place: String,
    },
    /// Takes the leases of others in a repository away.
    UnlockRepository {
        place: Option<String>,
    },
    Drill {
        place: Option<String>,
        key: Key,
    },
    BackupPlan,
    SetBackupPlan(Box<Plan>),
    CheckStorage,
    ClaimStorage,
    MigrateStorage {
        to: Backend,
        removes_old: bool,
    },
    ScrubStorage {
        percent: u32,
    },
    /// Into a new database file: what an update is rehearsed on.
    CopyRecords {
        to: PathBuf,
    },
    /// With a login, only what that person sees.
    Export {
        folder: PathBuf,
        login: Option<String>,
    },
}

impl Request {
    /// True for what only looks, also at a job: it may stop when nobody waits for it any more.
    pub fn only_looks(&self) -> bool {
        matches!(
            self,
            Request::Status
                | Request::UserList
                | Request::Check { .. }
                | Request::Doctor
                | Request::Https
                | Request::Probe
                | Request::Backups { .. }
                | Request::BackupPlan
                | Request::CheckStorage
                | Request::MigrateStorage { .. }
                | Request::ScrubStorage { .. }
                | Request::CopyRecords { .. }
        )
    }

    /// True for what makes sense in a folder where no portal has been yet.
    pub fn may_begin(&self) -> bool {
        matches!(self, Request::UserAdd(new) if new.is_administrator)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Status(Box<Status>),
    SetupLink {
        url: String,
    },
    UserAdded(Added),
    Users(Vec<Account>),
    /// The account after the change.
    User(Account),
    Reindexed {
        documents: u64,
    },
    Checked(Report),
    Findings(Vec<Finding>),
    Https(Box<HttpsStanding>),
    BackedUp(Made),
    Backups(Vec<ListedBackup>),
    BackupSigner(SignerKey),
    VerifiedBackups(FoundBackups),
    PrunedBackups(Pruned),
    Trusted,
    Unlocked {
        leases: u64,
    },
    Drilled(Drilled),
    BackupPlan(Box<PlanView>),
    CheckedStorage(StorageCheck),
    /// Such as `s3://documents/portal`.
    ClaimedStorage(String),
    MigratedStorage(Box<Moved>),
    ScrubbedStorage(ScrubReport),
    CopiedRecords,
    Exported(Exported),
}

/// What the server says, line by line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// How far it is; also sent when nothing has moved, as a sign of life.
    Step(Step),
    Done(Box<Reply>),
    Failed(Failed),
}

/// An [`Error`] on its way through the socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    kind: Kind,
    message: String,
    /// The causes of a fault, the deepest last.
    #[serde(default)]
    causes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    NotFound,
    Invalid,
    Forbidden,
    Conflict,
    TooLarge,
    Busy,
    Full,
    Internal,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::NotFound(_) => Kind::NotFound,
            Error::Invalid { .. } => Kind::Invalid,
            Error::SignInRequired
            | Error::OwnPasswordRequired
            | Error::WrongCredentials
            | Error::Forbidden(_) => Kind::Forbidden,
            Error::Conflict(_) | Error::Taken { .. } | Error::Stale(_) => Kind::Conflict,
            Error::TooLarge(_) => Kind::TooLarge,
            Error::TooMany { .. } | Error::Busy { .. } => Kind::Busy,
            Error::Full(_) => Kind::Full,
            Error::Internal(_) => Kind::Internal,
        };
        let (message, causes) = match &error {
            Error::Internal(chain) => {
                (chain.to_string(), chain.chain().skip(1).map(ToString::to_string).collect())
            }
            known => (known.to_string(), Vec::new()),
        };
        Failed { kind, message, causes }
    }
}

impl From<Failed> for Error {
    fn from(Failed { kind, message, causes }: Failed) -> Self {
        match kind {
            Kind::NotFound => Error::NotFound(message),
            Kind::Invalid => Error::invalid(message),
            Kind::Forbidden => Error::forbidden(message),
            Kind::Conflict => Error::conflict(message),
            Kind::TooLarge => Error::TooLarge(message),
            Kind::Busy => Error::Busy { message, retry_after_s: 1 },
            Kind::Full => Error::Full(message),
            Kind::Internal => {
                let mut texts = causes.into_iter().rev().chain([message]);
                let deepest = anyhow!(texts.next().unwrap_or_default());
                Error::Internal(texts.fold(deepest, |chain, text| chain.context(text)))
            }
        }
    }
}

/// A line for the socket, with its end.
pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value).map_err(|fault| anyhow!(fault))?;
    line.push(b'\n');
    Ok(line)
}
