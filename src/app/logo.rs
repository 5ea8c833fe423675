//! The pictures that stand for organizations on every page, also for those who are about to sign in.

use bytes::Bytes;

use super::App;
use crate::{
    domain::{
        access::{Action, Actor, decide},
        blobs as blob_records,
        organizations::{self, Logo, Organization},
        versions::NewFile,
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
};

/// Pictures made of pixels: nothing in them can run.
const LOGO_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const LOGO_BYTES_MAX: u64 = 1_000_000;

impl App {
    /// A logo in use, by its hash: what else the store holds cannot be had this way.
    ///
    /// # Errors
    /// `NotFound` when no organization shows it.
    pub async fn logo(&self, hash: ContentHash) -> Result<(Bytes, String)> {
        let logo = self.store.read(move |tx| organizations::logo(tx, hash)).await?;
        let opened = self.blobs.open(logo.blob, None).await?;
        Ok((opened.read(LOGO_BYTES_MAX as usize).await?, logo.media_type))
    }

    /// Makes a picture the organization's logo.
    ///
    /// # Errors
    /// `Invalid` for what is no picture, or a large one.
    pub async fn set_logo(
        &self,
        actor: Actor,
        organization: Id<Organization>,
        file: NewFile,
    ) -> Result<()> {
        let blob = file.blob;
        if !LOGO_TYPES.contains(&blob.media_type.as_str()) || blob.size_bytes > LOGO_BYTES_MAX {
            let message = "A logo is a PNG, JPEG, WebP or GIF picture of at most 1 MB.";
            return Err(Error::invalid_field("file", message));
        }
        self.write_as(actor, move |tx, actor| {
            decide(actor, Action::Govern(organization))?;
            let logo = Logo { blob: blob.hash, media_type: blob.media_type.clone() };
            blob_records::adopt(tx, blob)?;
            organizations::present(tx, actor, organization, None, None, Some(Some(logo)))
        })
        .await?;
        Ok(())
    }
}
