//! Reads files again, one after the other, and notes what was found.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    blobs::{Health, Scrubbed},
    domain::{
        access::Actor,
        documents::Document,
        jobs::Job,
        storage::{self, Fault, FileFault, LookedAt, Nightly, ScrubRun},
        versions,
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::ReadTx,
};

/// Files that are chosen at a time.
const STEP: usize = 100;
/// How often it is noted how far it is; each note is a write.
const NOTED_EVERY: Duration = Duration::from_secs(2);
/// Documents that are named of each file.
const DOCUMENTS_NAMED: usize = 5;

/// What reading files again gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScrubReport {
    /// The one under way, or the last one.
    pub run: Option<ScrubRun>,
    /// Every file that is known to have no good copy, also from runs before.
    pub faulty: Vec<FaultyFile>,
}

/// A file without a good copy, and what it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaultyFile {
    pub fault: FileFault,
    /// The name it was uploaded with; empty when nothing refers to it any more.
    pub filename: String,
    /// Title and id of documents that have it, the first few.
    pub documents: Vec<(Id<Document>, String)>,
}

impl FaultyFile {
    /// Such as `report.pdf is missing.`
    pub fn sentence(&self) -> String {
        let name = match self.filename.as_str() {
            "" => self.fault.blob.to_string(),
            name => format!("“{name}”"),
        };
        match &self.fault.fault {
            Fault::Missing => format!("{name} is missing."),
            Fault::Damaged => format!("{name} is damaged."),
            Fault::Unreadable { reason } => format!("{name} cannot be read: {reason}."),
        }
    }
}

impl App {
    /// Begins to read so many of all files again; a job does it.
    pub async fn begin_scrub(&self, actor: Actor, percent: u32) -> Result<Job> {
        self.write_as(actor, move |tx, actor| storage::begin_scrub(tx, actor, percent)).await
    }

    /// Begins the nightly reading when its time has come. The keeper calls it every minute.
    pub async fn queue_scrub(&self) -> Result<()> {
        let storage = &self.config.storage;
        let nightly = Nightly { days: storage.scrub_days, hour: storage.scrub_hour };
        if self.store.read(move |tx| storage::is_nightly_due(tx, nightly)).await? {
            self.store.write(move |tx| storage::queue_nightly(tx, nightly)).await?;
        }
        Ok(())
    }

    /// Reads what the run has not read yet.
    ///
    /// # Errors
    /// `Busy` while S3 is away: it goes on later.
    pub(in crate::app) async fn scrub(&self, job: Id<Job>) -> Result<()> {
        let Ok(_turn) = self.turns.scrubbing.try_lock() else {
            let message = "Another reading of files is just ending.".into();
            return Err(Error::Busy { message, retry_after_s: 5 });
        };
        loop {
            let share = self.store.read(|tx| storage::next_share(tx, STEP)).await?;
            if share.is_empty() {
                return self.store.write(storage::end_scrub).await;
            }
            let (mut found, mut noted_at) = (Vec::new(), Instant::now());
            for hash in share {
                found.push(self.look_at(hash).await?);
                if noted_at.elapsed() >= NOTED_EVERY {
                    if !self.note_scrubbed(job, std::mem::take(&mut found)).await? {
                        return Ok(());
                    }
                    noted_at = Instant::now();
                }
            }
            if !found.is_empty() && !self.note_scrubbed(job, found).await? {
                return Ok(());
            }
        }
    }

    async fn note_scrubbed(&self, job: Id<Job>, found: Vec<LookedAt>) -> Result<bool> {
        self.store.write(move |tx| storage::note_scrubbed(tx, job, found)).await
    }

    async fn look_at(&self, blob: ContentHash) -> Result<LookedAt> {
        let looked_at = |bytes, is_healed, fault| LookedAt { blob, bytes, is_healed, fault };
        match self.blobs.scrub(blob).await {
            Ok(scrubbed) => {
                let fault = scrubbed.is_lost().then(|| fault_of(&scrubbed));
                Ok(looked_at(bytes_of(&scrubbed), !scrubbed.healed.is_empty(), fault))
            }
            Err(fault @ (Error::Busy { .. } | Error::Full(_))) => Err(fault),
            Err(fault) => {
                tracing::error!("file {blob} cannot be read: {}", fault.chain());
                let reason = fault.chain();
                Ok(looked_at(0, false, Some(Fault::Unreadable { reason })))
            }
        }
    }

    pub async fn scrub_report(&self) -> Result<ScrubReport> {
        self.store
            .read(|tx| {
                let run = storage::scrubbing(tx)?.run;
                Ok(ScrubReport { run, faulty: faulty(tx)? })
            })
            .await
    }

    /// The name that a file was uploaded with, else its hash.
    pub(super) async fn name_of_file(&self, hash: ContentHash) -> Result<String> {
        let version = self.store.read(move |tx| versions::first_of_blob(tx, hash)).await?;
        Ok(version.map_or_else(|| hash.to_string(), |version| format!("“{}”", version.filename)))
    }
}

/// Every file without a good copy, with what it belongs to.
pub(super) fn faulty(tx: &ReadTx) -> Result<Vec<FaultyFile>> {
    let mut faulty = Vec::new();
    for fault in storage::faults(tx)? {
        let mut file = FaultyFile { fault, filename: String::new(), documents: Vec::new() };
        for version in versions::of_blob(tx, file.fault.blob, None, DOCUMENTS_NAMED)? {
            if file.filename.is_empty() {
                file.filename = version.filename;
            }
            if let Some(document) = tx.get::<Document>(&version.document)?
                && !file.documents.iter().any(|(id, _)| *id == document.id)
            {
                file.documents.push((document.id, document.title));
            }
        }
        faulty.push(file);
    }
    Ok(faulty)
}

/// Of a file without a good copy. One that cannot be read may still be good.
fn fault_of(scrubbed: &Scrubbed) -> Fault {
    let unreadable = scrubbed.copies.iter().find_map(|(_, health)| match health {
        Health::Unreadable { reason } => Some(Fault::Unreadable { reason: reason.clone() }),
        Health::Intact { .. } | Health::Damaged { .. } => None,
    });
    unreadable.unwrap_or(match scrubbed.copies.is_empty() {
        true => Fault::Missing,
        false => Fault::Damaged,
    })
}

fn bytes_of(scrubbed: &Scrubbed) -> u64 {
    let bytes = scrubbed.copies.iter().map(|(_, health)| match health {
        Health::Intact { size_bytes } | Health::Damaged { size_bytes } => *size_bytes,
        Health::Unreadable { .. } => 0,
    });
    bytes.sum()
}
