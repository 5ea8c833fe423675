//! To whom the files in a bucket belong. A small object beside them ([`inscription`](super::inscription))
//! names one portal, and only that one brings files there and removes any. Every other one that was
//! given the same bucket and prefix (a copy of a data folder, a restored backup, a new server that was
//! set up by mistake) reads, and keeps what it is brought on its own disk: what it added would look to
//! the owner like something that nobody needs.
//!
//! ```text
//! nothing there, no files ─▶ ours        nothing there, but files ─▶ unclaimed
//! another name ─▶ others'                our name, disputed ─▶ disputed
//! our name, our process ─▶ ours
//! our name, another process, the first time ─▶ we take over: ours
//! our name, another process, when it was ours or has changed since ─▶ a twin: disputed
//! ```
//!
//! A copy of a whole machine has the same name, and only the name of its process differs. So whoever
//! takes over removes nothing for a while, in which the other one, who looks every minute, finds out and
//! writes that it is disputed; that lasts until somebody claims the bucket under a new name.

use std::{
    sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    Remote,
    inscription::{Found, Inscription},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
};

/// Nothing is removed on the strength of an older look.
const LOOK_HOLDS: SignedDuration = SignedDuration::from_secs(60);
/// How often somebody else may be quicker in one look.
const TRIES_MAX: usize = 4;
/// When a file that may not be brought is asked about again; a claim does not wait for it.
const WAIT_S: u64 = 300;

/// Whether the files there are this portal's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// S3 was not asked yet, or did not answer.
    Unknown,
    Ours,
    /// There are files, and nothing says whose they are.
    Unclaimed,
    /// They belong to another portal.
    Others,
    /// Two portals have the same name.
    Disputed,
    /// What says whose they are cannot be read; a sentence says why.
    Unreadable(String),
}

impl Ownership {
    /// What keeps files from being brought to `store`, in a sentence, and what to do; `None` when
    /// nothing does.
    pub fn trouble(&self, store: &str) -> Option<(String, &'static str)> {
        Some(match self {
            Ownership::Unknown | Ownership::Ours => return None,
            Ownership::Unclaimed => (
                format!(
                    "There are files in {store}, and nothing says whose they are: the object \
                     appliance-owner is missing."
                ),
                "Give this portal a prefix of its own (storage.s3.prefix). Or, if no other portal \
                 uses these files: appliance storage claim.",
            ),
            Ownership::Others => (
                format!(
                    "The files in {store} belong to another portal; a copy of a portal, or one that \
                     was restored, is another one."
                ),
                "Give this portal a prefix of its own (storage.s3.prefix). Or, if the other portal is \
                 gone for good: appliance storage claim.",
            ),
            Ownership::Disputed => (
                format!(
                    "Two portals with the same name use {store}: a machine was copied, and both run."
                ),
                "Stop one of them, or give it a prefix of its own (storage.s3.prefix). Then, on the one \
                 that is to keep the files: appliance storage claim.",
            ),
            Ownership::Unreadable(reason) => (
                format!("Whose files are in {store} cannot be read from appliance-owner: {reason}"),
                "Mend that. Or, if no other portal uses these files: appliance storage claim.",
            ),
        })
    }
}

/// What this process knows about the owner.
pub(super) struct Owning {
    clock: Clock,
    /// Of this process.
    process: Uuid,
    probation: SignedDuration,
    /// Held by the one who looks or claims.
    turn: Mutex<()>,
    state: SyncMutex<State>,
}

struct State {
    /// Of this portal.
    name: Uuid,
    known: Ownership,
    /// The process that was named with our name when we looked last.
    seen: Option<Uuid>,
    ours_since: Option<Timestamp>,
    /// When the last look that succeeded began.
    looked: Option<(Timestamp, Instant)>,
    /// When the last one that failed began.
    failed: Option<Instant>,
}

impl Owning {
    pub fn new(name: Uuid, probation: SignedDuration, clock: Clock) -> Self {
        let known = Ownership::Unknown;
        let state = State { name, known, seen: None, ours_since: None, looked: None, failed: None };
        let (turn, state) = (Mutex::default(), SyncMutex::new(state));
        Owning { clock, process: Uuid::new_v4(), probation, turn, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inscription(&self, is_disputed: bool) -> Inscription {
        Inscription { name: self.state().name, process: self.process, is_disputed }
    }
}

impl Remote {
    /// As it was when somebody looked last.
    pub fn ownership(&self) -> Ownership {
        self.owning.state().known.clone()
    }

    /// Looks who the owner is: the keeper does every minute. A place without files and without an
    /// owner becomes ours.
    ///
    /// # Errors
    /// `Busy` while S3 is away; what was known before stays.
    pub async fn look_at_owner(self: &Arc<Self>) -> Result<Ownership> {
        self.look_since(Instant::now()).await
    }

    /// The same, unless somebody has begun to look since then.
    async fn look_since(self: &Arc<Self>, moment: Instant) -> Result<Ownership> {
        let _turn = self.owning.turn.lock().await;
        {
            let state = self.owning.state();
            if state.looked.is_some_and(|(_, began)| began >= moment) {
                return Ok(state.known.clone());
            }
        }
        // Who has waited for one that failed need not find out once more, one after the other.
        if self.owning.state().failed.is_some_and(|began| began >= moment) {
            let message = format!("{} does not say whose files it has.", self.name());
            return Err(Error::Busy { message, retry_after_s: 1 });
        }
        let began = (self.owning.clock.now(), Instant::now());
        let looked = self.look().await;
        match &looked {
            Ok(known) => self.note(known.clone(), began),
            Err(_) => self.owning.state().failed = Some(began.1),
        }
        looked
    }

    async fn look(self: &Arc<Self>) -> Result<Ownership> {
        let owning = &self.owning;
        for _ in 0..TRIES_MAX {
            let found = self.inscription().await?;
            let (name, seen) = {
                let state = owning.state();
                (state.name, state.seen)
            };
            let is_disputed = match &found {
                Found::Unreadable(reason, _) => return Ok(Ownership::Unreadable(reason.clone())),
                Found::Nothing if self.has_files().await? => return Ok(Ownership::Unclaimed),
                Found::Nothing => false,
                Found::Named(there, _) if there.name != name => return Ok(Ownership::Others),
                Found::Named(there, _) if there.is_disputed => return Ok(Ownership::Disputed),
                Found::Named(there, _) if there.process == owning.process => {
                    owning.state().seen = Some(owning.process);
                    return Ok(Ownership::Ours);
                }
                Found::Named(there, _) => seen.is_some_and(|seen| seen != there.process),
            };
            // Should somebody be quicker now, the next look finds another process than this one.
            if seen.is_none() {
                owning.state().seen = Some(match &found {
                    Found::Named(there, _) => there.process,
                    _ => owning.process,
                });
            }
            if self.inscribe(owning.inscription(is_disputed), &found).await? {
                owning.state().seen = Some(owning.process);
                return Ok(if is_disputed { Ownership::Disputed } else { Ownership::Ours });
            }
        }
        Err(Error::Busy {
            message: format!("Others keep changing the owner of {}.", self.name()),
            retry_after_s: 60,
        })
    }

    fn note(&self, known: Ownership, began: (Timestamp, Instant)) {
        let mut state = self.owning.state();
        if state.known != known {
            if let Some((sentence, remedy)) = known.trouble(&self.name()) {
                tracing::warn!("{sentence} {remedy}");
            }
            state.ours_since = (known == Ownership::Ours).then(|| self.owning.clock.now());
        }
        state.known = known;
        state.looked = Some(began);
    }

    /// Makes this portal the owner under a new name, whoever was it before: that one sees another name
    /// and stops, also when it had ours.
    ///
    /// # Errors
    /// `Conflict` when somebody else does the same in this moment; `Busy` while S3 is away.
    pub async fn claim(self: &Arc<Self>, name: Uuid) -> Result<()> {
        let _turn = self.owning.turn.lock().await;
        let began = (self.owning.clock.now(), Instant::now());
        let found = self.inscription().await?;
        let process = self.owning.process;
        let inscription = Inscription { name, process, is_disputed: false };
        if !self.inscribe(inscription, &found).await? {
            if let Found::Unreadable(reason, _) = self.inscription().await? {
                return Err(Error::conflict(format!(
                    "The object appliance-owner in {} was written, but cannot be read: {reason}",
                    self.name()
                )));
            }
            return Err(Error::conflict(format!(
                "Another portal has changed the owner of {} in this moment. Look which of the two is \
                 to be the owner, and claim it there.",
                self.name()
            )));
        }
        {
            let mut state = self.owning.state();
            state.name = name;
            state.seen = Some(process);
            // Its probation begins anew.
            state.known = Ownership::Unknown;
        }
        self.note(Ownership::Ours, began);
        Ok(())
    }

    /// Whether files may be brought there, as far as is known. Asks S3 only when nothing is.
    ///
    /// # Errors
    /// `Busy` while S3 is away, and when they may not: with the reason.
    pub async fn may_bring(self: &Arc<Self>) -> Result<()> {
        let known = match self.ownership() {
            Ownership::Unknown | Ownership::Unreadable(_) => self.look_at_owner().await?,
            known => known,
        };
        self.allow_bringing(&known)
    }

    /// Whether what was brought there until `moment` was brought by the owner: only then it may leave
    /// this machine. Several who ask together share one look.
    ///
    /// # Errors
    /// As [`Remote::may_bring`].
    pub async fn was_ours_until(self: &Arc<Self>, moment: Instant) -> Result<()> {
        let known = self.look_since(moment).await?;
        self.allow_bringing(&known)
    }

    fn allow_bringing(&self, known: &Ownership) -> Result<()> {
        match known.trouble(&self.name()) {
            None => Ok(()),
            Some((sentence, remedy)) => {
                let message = format!("{sentence} {remedy}");
                Err(Error::Busy { message, retry_after_s: WAIT_S })
            }
        }
    }

    /// Whether files may be removed there: by the owner alone, after its probation, and on the
    /// strength of a look that is not old.
    ///
    /// # Errors
    /// `Busy` while S3 is away.
    pub async fn may_remove(self: &Arc<Self>) -> Result<bool> {
        let now = self.owning.clock.now();
        let is_fresh = {
            let state = self.owning.state();
            state.looked.is_some_and(|(at, _)| now.duration_since(at).abs() <= LOOK_HOLDS)
        };
        if !is_fresh {
            self.look_at_owner().await?;
        }
        Ok(self.probation_left().is_some_and(|left| left <= SignedDuration::ZERO))
    }

    /// `None` when it is not ours.
    fn probation_left(&self) -> Option<SignedDuration> {
        let state = self.owning.state();
        let since = state.ours_since.filter(|_| state.known == Ownership::Ours)?;
        let owned_for = self.owning.clock.now().duration_since(since);
        Some(self.owning.probation - owned_for.max(SignedDuration::ZERO))
    }

    /// For acts that are for the owner alone.
    ///
    /// # Errors
    /// `Conflict` when it is not ours, and `Busy` while S3 is away.
    pub async fn must_be_ours(self: &Arc<Self>) -> Result<()> {
        match self.look_at_owner().await?.trouble(&self.name()) {
            None => Ok(()),
            Some((sentence, remedy)) => Err(Error::conflict(format!("{sentence} {remedy}"))),
        }
    }

    /// For the removal of many files.
    ///
    /// # Errors
    /// As [`Remote::must_be_ours`], and `Busy` during the probation.
    pub async fn must_be_free_to_remove(self: &Arc<Self>) -> Result<()> {
        self.must_be_ours().await?;
        match self.probation_left() {
            Some(left) if left > SignedDuration::ZERO => Err(Error::Busy {
                message: format!(
                    "In the first minutes after a start nothing is removed from {}: a copy of this \
                     portal that runs as well would show itself by then.",
                    self.name()
                ),
                retry_after_s: left.as_secs().unsigned_abs() + 1,
            }),
            _ => Ok(()),
        }
    }
}
