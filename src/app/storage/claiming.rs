//! Whose the files in the bucket are.

use std::{fs, path::Path};

use uuid::Uuid;

use crate::{
    app::App,
    blocking::blocking,
    config::{S3Config, StorageConfig},
    domain::{
        access::{Action, Actor, decide},
        storage::{self, Home},
    },
    error::{Error, Result},
    host::{cloud, machine},
    id::Id,
    store::Store,
};

/// What this portal is called among the owners of buckets, with its data folder in `data`. Nobody asks
/// while no S3 is configured. Blocks; on EC2 for a second at most.
pub(in crate::app) fn owner(store: &Store, config: &StorageConfig, data: &Path) -> Result<Uuid> {
    if !config.s3.is_configured() {
        return Ok(Uuid::nil());
    }
    let (place, home) = (place(&config.s3), home(data));
    let owner = store.write_blocking(move |tx| storage::owner(tx, &place, &home))?;
    Ok(owner.uuid())
}

fn place(s3: &S3Config) -> String {
    format!("{} s3://{}/{}", s3.endpoint, s3.bucket, s3.prefix)
}

fn home(data: &Path) -> Home {
    let folder = fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
    Home {
        machine: machine::id(),
        instance: cloud::instance_id(),
        folder: folder.to_string_lossy().into_owned(),
    }
}

impl App {
    /// Makes this portal the owner of the files in its bucket, after somebody has made sure that no
    /// other one uses them: from then on it brings its files there and removes what it does not know.
    /// What has waited for that goes on its way.
    ///
    /// # Errors
    /// `Invalid` when no S3 is configured; `Conflict` when another portal does the same in this moment;
    /// `Busy` while S3 is away.
    pub async fn claim_storage(&self, actor: Actor) -> Result<()> {
        decide(&actor, Action::Operate)?;
        // The bucket first: after a crash in between it names nobody, and a claim can be repeated; the
        // other way round a claim that failed would make an owner a stranger.
        let name = Uuid::new_v4();
        self.blobs.claim(name).await?;
        let (place, data) = (place(&self.config.storage.s3), self.config.data.clone());
        let home = blocking(move || Ok::<_, Error>(home(&data))).await?;
        self.write_as(actor, move |tx, actor| {
            storage::note_claim(tx, actor, (&place, &home), Id::from_uuid(name))
        })
        .await?;
        self.hurry_moves().await
    }
}
