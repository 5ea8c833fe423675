//! Moving house, step by step; each step is noted, and the next start goes on behind it.

use crate::{
    app::App,
    blobs::{self, Tally},
    config::Backend,
    domain::{
        access::{Action, Actor, decide},
        jobs::Job,
        storage::{self, Amount, Cleared, Copied, Migration, Phase},
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
};

/// Files of one step at most; a step of large files ends earlier.
const STEP: usize = 200;

impl App {
    /// Begins to move all files, or goes on with a move that was stopped; a job does it.
    ///
    /// # Errors
    /// `Invalid` when no S3 is configured, or old copies are to go from where new files still come;
    /// `Conflict` while a move is under way.
    pub async fn begin_migration(
        &self,
        actor: Actor,
        to: Backend,
        removes_old: bool,
    ) -> Result<Migration> {
        decide(&actor, Action::Operate)?;
        self.allow_migration(to, removes_old)?;
        self.write_as(actor, move |tx, actor| storage::begin_migration(tx, actor, to, removes_old))
            .await
    }

    fn allow_migration(&self, to: Backend, removes_old: bool) -> Result<()> {
        if !self.config.storage.s3.is_configured() {
            return Err(Error::invalid(
                "No S3 is configured. Name its bucket with storage.s3.bucket in the configuration, \
                 and restart the portal.",
            ));
        }
        if removes_old && self.config.storage.backend != to {
            let (name, from) = match to {
                Backend::S3 => ("s3", "the disk"),
                Backend::Disk => ("disk", "S3"),
            };
            return Err(Error::invalid(format!(
                "New files still come to {from}, so nothing is removed there. Set storage.backend to \
                 \"{name}\" in the configuration, restart the portal, and do this again."
            )));
        }
        Ok(())
    }

    /// Does the move that was begun, or the rest of it.
    ///
    /// # Errors
    /// `Busy` while S3 is away, `Full` when the disk is: it goes on later.
    pub(in crate::app) async fn migrate(&self, job: Id<Job>) -> Result<()> {
        let Ok(_turn) = self.turns.migrating.try_lock() else {
            let message = "Another move of files is just ending.".into();
            return Err(Error::Busy { message, retry_after_s: 5 });
        };
        let begun = self.store.read(storage::migration).await?;
        let Some(Migration { to, removes_old, mut after, phase, .. }) = begun else {
            return Ok(());
        };
        // The configuration may be another one since it was begun.
        self.allow_migration(to, removes_old)?;
        if phase == Phase::Done {
            return Ok(());
        }
        if phase == Phase::Copying {
            if !self.copy_all(job, to, after).await? {
                return Ok(());
            }
            after = None;
        }
        let clears =
            phase == Phase::Clearing || self.store.write(storage::clearing_follows).await?;
        if clears && !self.clear_all(job, after).await? {
            return Ok(());
        }
        self.store.write(storage::end_migration).await
    }

    /// `false` when it was cancelled.
    async fn copy_all(
        &self,
        job: Id<Job>,
        to: Backend,
        mut after: Option<ContentHash>,
    ) -> Result<bool> {
        loop {
            let step = self.blobs.migrate(to, after, STEP).await?;
            after = step.next;
            let copied = Copied {
                next: step.next,
                copied: amount(step.copied),
                known: amount(step.known),
                faults: self.sentences(step.failed, "was not copied").await?,
            };
            if !self.store.write(move |tx| storage::note_copied(tx, job, copied)).await? {
                return Ok(false);
            }
            if after.is_none() {
                return Ok(true);
            }
        }
    }

    async fn clear_all(&self, job: Id<Job>, mut after: Option<ContentHash>) -> Result<bool> {
        loop {
            let step: blobs::Cleared = self.blobs.clear_old(after, STEP).await?;
            after = step.next;
            let cleared = Cleared {
                next: step.next,
                looked_at: step.looked_at,
                removed: amount(step.removed),
                faults: self.sentences(step.kept, "keeps its old copy").await?,
            };
            if !self.store.write(move |tx| storage::note_cleared(tx, job, cleared)).await? {
                return Ok(false);
            }
            if after.is_none() {
                return Ok(true);
            }
        }
    }

    /// What went wrong with each file, with a name that people know.
    async fn sentences(
        &self,
        faults: Vec<(ContentHash, String)>,
        what: &str,
    ) -> Result<Vec<String>> {
        let mut sentences = Vec::new();
        for (hash, why) in faults {
            let name = self.name_of_file(hash).await?;
            sentences.push(format!("{name} {what}: {why}."));
        }
        Ok(sentences)
    }
}

fn amount(tally: Tally) -> Amount {
    Amount { files: tally.files, bytes: tally.bytes }
}
