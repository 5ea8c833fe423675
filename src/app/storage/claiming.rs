//! Whose the files in the bucket are.

use uuid::Uuid;

use crate::{
    app::App,
    config::{S3Config, StorageConfig},
    domain::{
        access::{Action, Actor, decide},
        storage,
    },
    error::Result,
    host::machine,
    store::Store,
};

/// What this portal is called among the owners of buckets. Nobody asks while no S3 is configured.
pub(in crate::app) fn owner(store: &Store, config: &StorageConfig) -> Result<Uuid> {
    if !config.s3.is_configured() {
        return Ok(Uuid::nil());
    }
    let (place, machine) = (place(&config.s3), machine::id());
    let owner = store.write_blocking(move |tx| storage::owner(tx, &place, &machine))?;
    Ok(owner.uuid())
}

fn place(s3: &S3Config) -> String {
    format!("{} s3://{}/{}", s3.endpoint, s3.bucket, s3.prefix)
}

impl App {
    /// Makes this portal the owner of the files in its bucket, after somebody has made sure that no
    /// other one uses them: from then on it removes there what it does not know.
    ///
    /// # Errors
    /// `Invalid` when no S3 is configured; `Busy` while it is away.
    pub async fn claim_storage(&self, actor: Actor) -> Result<()> {
        decide(&actor, Action::Operate)?;
        self.blobs.claim().await?;
        let place = place(&self.config.storage.s3);
        self.write_as(actor, move |tx, actor| storage::note_claim(tx, actor, &place)).await
    }
}
