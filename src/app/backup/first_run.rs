//! A backup that comes back into a portal which is running, fresh and nobody's: "restore a backup" of
//! the first-run page.
//!
//! Nothing of a running portal is swapped. The new one is built beside it, in `restoring/`, exactly as
//! `appliance restore` does; then a note is left, the server begins again, and takes the new one in
//! when it opens the data folder. Whatever fails before the note leaves the fresh portal as it was.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::{fs::File, io::AsyncWriteExt, sync::watch};

use super::{Restore, Restored, Source, restore::restore_into, staging::Keeping, swap::Site};
use crate::{
    app::{App, Reporter, Step},
    backup::{Key, Passphrase, SignerKey, Signers},
    blocking::blocking,
    domain::{
        backups::{self, Kind, Run},
        users,
    },
    error::{Error, Result},
    store::Store,
};

/// How often the room on the disk is looked at while an archive arrives.
const LOOK_EVERY_BYTES: u64 = 64 << 20;
const CACHE_BYTES: usize = 16 << 20;
const SECRET_KEY: &str = "AGE-SECRET-KEY-";

/// What goes on in a fresh portal.
#[derive(Clone, Debug, Default)]
pub enum FirstRestore {
    #[default]
    None,
    /// The archive is being uploaded.
    Arriving,
    Running(Step),
    /// A sentence; one may try again.
    Failed(String),
    /// The server begins again by itself.
    Done,
}

pub(in crate::app) struct FirstRestores {
    state: Mutex<State>,
    restart: watch::Sender<bool>,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    Arriving,
    Running(watch::Receiver<Step>),
    Failed(String),
    Done,
}

impl Default for FirstRestores {
    fn default() -> Self {
        FirstRestores { state: Mutex::default(), restart: watch::channel(false).0 }
    }
}

impl FirstRestores {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `Conflict` while a backup comes back: nobody may begin a portal that is about to be another.
    pub fn require_none(&self) -> Result<()> {
        match &*self.state() {
            State::None | State::Failed(_) => Ok(()),
            State::Arriving | State::Running(_) | State::Done => Err(Error::conflict(
                "A backup is being restored into this portal. Wait until that is done.",
            )),
        }
    }
}

/// Leave to restore: one at a time. Dropped before it runs, the portal is as it was.
pub struct Arriving {
    app: Arc<App>,
    site: Option<Site>,
    archive: Option<Archive>,
}

/// What the first-run page asks for beside an archive that is uploaded; all of it may be empty.
#[derive(Default)]
pub struct FirstWanted {
    /// A file or folder of this host, or `s3://bucket/prefix`.
    pub source: String,
    /// The passphrase or the secret key of age, of what is encrypted.
    pub secret: String,
    /// Whose signature it must have, as `appliance backup signer` prints it; anybody's when empty.
    pub signer: String,
}

struct Archive {
    path: PathBuf,
    file: File,
    size_bytes: u64,
}

impl App {
    pub fn first_restore(&self) -> FirstRestore {
        match &*self.first_restores.state() {
            State::None => FirstRestore::None,
            State::Arriving => FirstRestore::Arriving,
            State::Running(steps) => FirstRestore::Running(steps.borrow().clone()),
            State::Failed(sentence) => FirstRestore::Failed(sentence.clone()),
            State::Done => FirstRestore::Done,
        }
    }

    /// Shows `true` when the server should begin again.
    pub fn watch_restart(&self) -> watch::Receiver<bool> {
        self.first_restores.restart.subscribe()
    }

    /// Begins, for whoever has the setup link of a portal without an administrator.
    ///
    /// # Errors
    /// `NotFound` with a wrong link, `Conflict` when the portal is not fresh any more or another
    /// restore is under way.
    pub async fn begin_first_restore(self: &Arc<Self>, secret: &str) -> Result<Arriving> {
        self.setup_link.check(secret)?;
        self.require_nobody().await?;
        self.first_restores.require_none()?;
        *self.first_restores.state() = State::Arriving;
        // From here on the guard gives it back.
        let mut arriving = Arriving { app: self.clone(), site: None, archive: None };
        let data = self.config.data.clone();
        arriving.site = Some(blocking(move || Site::claim_beside_portal(&data)).await?);
        // It may take longer than the link is valid.
        self.setup_link.renew(secret)?;
        Ok(arriving)
    }

    async fn require_nobody(&self) -> Result<()> {
        match self.store.read(users::has_administrator).await? {
            false => Ok(()),
            true => Err(Error::conflict(
                "This portal has an administrator. Stop it and restore at a shell: appliance restore \
                 SOURCE --replace",
            )),
        }
    }

    async fn restore_first(
        &self,
        site: Site,
        (wanted, place): (Restore, String),
        reporter: &Reporter,
    ) -> Result<()> {
        let (begin, portal) = (self.clock.now(), site.portal());
        let (restored, keeps_files) = restore_into(
            &portal,
            &self.config,
            self.clock.clone(),
            &wanted,
            Keeping::All,
            reporter,
        )
        .await?;
        let (clock, noted) = (self.clock.clone(), restored.clone());
        blocking(move || {
            let store = Store::open(&portal.join(App::DATABASE), CACHE_BYTES, clock, None)?;
            store.write_blocking(move |tx| note_restore(tx, place, begin, &noted))
        })
        .await?;
        // Somebody at a shell may have made one meanwhile.
        self.require_nobody().await?;
        for warning in &restored.warnings {
            tracing::warn!("{warning}");
        }
        for damage in &restored.damages {
            tracing::warn!("the restored backup is not complete: {damage}");
        }
        let now = self.clock.now();
        blocking(move || site.leave(now, keeps_files)).await
    }
}

fn note_restore(
    tx: &mut crate::store::WriteTx,
    place: String,
    started_at: jiff::Timestamp,
    restored: &Restored,
) -> Result<()> {
    if !users::has_administrator(tx)? {
        return Err(Error::invalid(
            "Nobody in this backup can administer a portal. Restore it at a shell with “appliance \
             restore”, then make an administrator with “appliance user add”.",
        ));
    }
    let fault = restored.damages.first().map(|first| match restored.damages.len() {
        1 => first.clone(),
        count => format!("{first} And {} more.", count - 1),
    });
    let warnings = restored.warnings.iter().map(|warning| format!(". {warning}"));
    let summary = format!(
        "{} records and {} files, the state of {}{}",
        restored.records,
        restored.files,
        restored.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        warnings.collect::<String>()
    );
    let (id, finished_at, kind) = (tx.new_id(), tx.now(), Kind::Restore);
    let size_bytes = restored.files_bytes;
    backups::note_run(
        tx,
        Run { id, kind, place, started_at, finished_at, size_bytes, summary, fault },
    )
}

impl Arriving {
    /// Makes place for an archive that is about to be uploaded, of about so many bytes.
    ///
    /// # Errors
    /// `Full` with the numbers when the disk has no room for it.
    pub async fn begin_archive(&mut self, declared_bytes: Option<u64>) -> Result<()> {
        self.require_room(declared_bytes.unwrap_or(0)).await?;
        let path = self.folder()?.join("archive");
        let mut options = tokio::fs::OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path).await;
        let file = opened.with_context(|| format!("making {}", path.display()))?;
        self.archive = Some(Archive { path, file, size_bytes: 0 });
        Ok(())
    }

    pub async fn write(&mut self, piece: &Bytes) -> Result<()> {
        let Some(archive) = &mut self.archive else { return Ok(()) };
        archive.file.write_all(piece).await.context("writing the archive")?;
        let before = archive.size_bytes / LOOK_EVERY_BYTES;
        archive.size_bytes += piece.len() as u64;
        if archive.size_bytes / LOOK_EVERY_BYTES > before {
            self.require_room(0).await?;
        }
        Ok(())
    }

    /// Restores in the background what was uploaded, or else what is named.
    ///
    /// # Errors
    /// When nothing can be there to be restored. Later ones are told by [`App::first_restore`].
    pub async fn run(mut self, wanted: &FirstWanted) -> Result<()> {
        let (source, place) = match self.archive.take() {
            Some(Archive { size_bytes: 0, .. }) => {
                return Err(Error::invalid_field("archive", "The file is empty."));
            }
            Some(mut archive) => {
                archive.file.flush().await.context("writing the archive")?;
                (Source::Archive(archive.path), "an archive that was uploaded".to_owned())
            }
            None => {
                let source = named_source(wanted.source.trim())?;
                let place = source.to_string();
                (source, place)
            }
        };
        let restore = Restore {
            source,
            key: key(&wanted.secret)?,
            replaces: true,
            keeps_sessions: false,
            at: None,
            snapshot: None,
            lineage: None,
            signers: signers(wanted.signer.trim())?,
        };
        let Some(site) = self.site.take() else { return Ok(()) };
        let (reporter, steps) = Reporter::new();
        *self.app.first_restores.state() = State::Running(steps);
        let app = self.app.clone();
        // It goes on when the browser goes away.
        tokio::spawn(async move {
            let restored = app.restore_first(site, (restore, place), &reporter).boxed().await;
            let state = match restored {
                Ok(()) => State::Done,
                Err(Error::Internal(chain)) => {
                    tracing::error!("restoring a backup: {chain:#}");
                    State::Failed(format!("{chain}: {}", chain.root_cause()))
                }
                Err(known) => State::Failed(known.to_string()),
            };
            let is_done = matches!(state, State::Done);
            *app.first_restores.state() = state;
            if is_done {
                tracing::info!("a backup was restored; the server begins again with it");
                app.first_restores.restart.send_replace(true);
            }
        });
        Ok(())
    }

    async fn require_room(&self, bytes: u64) -> Result<()> {
        self.app.require_room(&self.app.config.data, bytes).await
    }

    fn folder(&self) -> Result<PathBuf> {
        let site = self.site.as_ref();
        site.map(Site::folder).ok_or_else(|| Error::invalid("This restore is over. Begin again."))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut state = self.app.first_restores.state();
        if matches!(*state, State::Arriving) {
            *state = State::None;
        }
    }
}

fn named_source(named: &str) -> Result<Source> {
    if named.is_empty() || named == "-" {
        return Err(Error::invalid_field(
            "source",
            "Choose an archive to upload, or name a file of the server or s3://bucket/prefix.",
        ));
    }
    match Source::named(named) {
        Err(Error::NotFound(message)) => Err(Error::invalid_field("source", message)),
        found => found,
    }
}

fn key(secret: &str) -> Result<Key> {
    match secret.trim() {
        "" => Ok(Key::None),
        text if text.starts_with(SECRET_KEY) => Key::of_identity_file(text),
        _ => Ok(Key::Passphrase(Passphrase(secret.to_owned()))),
    }
}

fn signers(signer: &str) -> Result<Signers> {
    if signer.is_empty() {
        return Ok(Signers::Any);
    }
    let key = signer.parse::<SignerKey>();
    key.map(Signers::Only).map_err(|fault| Error::invalid_field("signer", fault.to_string()))
}
