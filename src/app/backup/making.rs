//! Making a backup: records from one transaction, then the files that they name. What is written is
//! an archive ([`archiving`](super::archiving)) or a snapshot ([`snapshotting`](super::snapshotting)).

use std::{
    io::Read,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{
    BackupWanted, Made, Target,
    piping::{self, PatientPipe},
};
use crate::{
    app::{App, Reporter},
    backup::{Manifest, Written},
    blobs::{Missing, Opened, Source},
    blocking::blocking,
    error::{Error, Result},
};

impl App {
    /// Makes a backup while the portal runs.
    ///
    /// # Errors
    /// What keeps it from being made. A file that cannot be read does not: it is named in the
    /// result.
    pub async fn back_up(&self, wanted: BackupWanted, reporter: &Reporter) -> Result<Made> {
        wanted.lock.check()?;
        self.store.write(|tx| tx.found_lineage()).await?;
        let _pin = self.pins.hold().await;
        let begin = Instant::now();
        let mut made = match &wanted.target {
            Target::Folder => self.archive_to_folder(&wanted, reporter).await?,
            Target::Pipe(path) => {
                let path = path.clone();
                let seconds = self.config.backups.stall_seconds;
                let patience = Duration::from_secs(seconds.into());
                let pipe = blocking(move || PatientPipe::open(&path, patience)).await?;
                // A pipe cannot be synced, and need not be.
                let made = self.archive(pipe, |_| Ok(()), &wanted, reporter).await;
                let (_, made) = made.map_err(|fault| piping::told(fault, patience))?;
                Made { place: "-".into(), ..made }
            }
            Target::Repository(place) => self.snapshot(place, &wanted, reporter).boxed().await?,
        };
        made.took_ms = begin.elapsed().as_millis() as u64;
        Ok(made)
    }
}

pub(super) fn made(manifest: &Manifest, written: Written, is_encrypted: bool) -> Made {
    let missing = |hash| format!("The file {hash} could not be read when the backup was made.");
    Made {
        place: String::new(),
        snapshot: None,
        created_at: manifest.head.created_at,
        instance: manifest.head.instance.clone(),
        records: manifest.records(),
        files: manifest.files.count,
        files_bytes: manifest.files.size_bytes,
        written_objects: written.objects,
        written_bytes: written.bytes,
        took_ms: 0,
        is_encrypted,
        is_verified: false,
        damages: manifest.missing.iter().map(missing).collect(),
    }
}

pub(super) fn is_missing(fault: &Error) -> bool {
    matches!(fault, Error::Internal(chain) if chain.is::<Missing>())
}

/// The bytes of a blob for a thread that may wait.
pub(in crate::app) fn reader(opened: Opened) -> Box<dyn Read + Send> {
    match opened.source {
        Source::File(file) => Box::new(file),
        Source::Stream(pieces) => Box::new(SyncIoBridge::new(StreamReader::new(pieces))),
    }
}
