//! Addresses under which a browser fetches a file from S3 by itself.

use std::time::Duration;

use super::{Blobs, Missing};
use crate::{error::Result, hash::ContentHash};

impl Blobs {
    /// An address under which anybody can read a blob that is on S3, for so long. `None` when it is on
    /// this machine: then read it from here. The answer carries the two headers as they are given
    /// (RFC 6266; a name beyond ASCII only as `filename*`). Decide about access first.
    ///
    /// # Errors
    /// `Busy` while S3 is away, `Internal` with [`Missing`] when the blob is nowhere.
    pub async fn link(
        &self,
        hash: ContentHash,
        content_disposition: &str,
        content_type: &str,
        lifetime: Duration,
    ) -> Result<Option<String>> {
        let Some(remote) = &self.shared.remote else { return Ok(None) };
        if self.look_here(hash, None).await?.is_some() {
            return Ok(None);
        }
        // Costs a round trip, and says the truth: an address of nothing shows a stranger's error page.
        if remote.head(hash).await?.is_none() {
            // It may have come back in this moment.
            return match self.look_here(hash, None).await? {
                Some(_) => Ok(None),
                None => Err(Missing(hash).into()),
            };
        }
        let link = remote.link(hash, content_disposition, content_type, lifetime).await?;
        Ok(Some(link.into()))
    }
}
