//! Uploads: a stream of bytes becomes a durable blob on the spool. The record follows in one
//! transaction; until it is written the bytes are an orphan, which the keeper removes in time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::App;
use crate::{
    domain::{blobs::NewBlob, text, versions::NewFile},
    error::{Error, Result},
    extract,
};

impl App {
    /// Receives one file. When this returns, a power cut does not lose it.
    ///
    /// # Errors
    /// `TooLarge` beyond the upload limit, `Full` when the disk is full, `Invalid` for an empty
    /// file or one without a name and when nothing comes any more, and whatever the stream ends
    /// with.
    pub async fn receive(
        &self,
        filename: &str,
        declared_bytes: Option<u64>,
        mut bytes: impl Stream<Item = Result<Bytes>> + Unpin,
    ) -> Result<NewFile> {
        let filename = text::filename(filename)?;
        let limit_bytes = self.settings().upload_bytes_max;
        let mut incoming = self.blobs.begin(limit_bytes, declared_bytes).await?;
        while let Some(chunk) = self.arriving(bytes.next()).await? {
            incoming.write(&chunk?).await?;
        }
        if incoming.size_bytes() == 0 {
            return Err(Error::invalid_field("file", format!("The file “{filename}” is empty.")));
        }
        let media_type = extract::recognize(incoming.head(), &filename).media_type.to_owned();
        let spooled = incoming.finish().await?;
        let blob = NewBlob { hash: spooled.hash, size_bytes: spooled.size_bytes, media_type };
        Ok(NewFile { filename, blob })
    }

    /// Waits for the next piece of an upload, as long as that makes sense.
    pub async fn arriving<T>(&self, piece: impl Future<Output = T>) -> Result<T> {
        let seconds = self.config.uploads.stall_seconds;
        let patience = Duration::from_secs(seconds.into());
        tokio::time::timeout(patience, piece).await.map_err(|_| {
            Error::invalid(format!(
                "Nothing came for {seconds} seconds, so the upload was ended. Check your \
                 connection, then try again."
            ))
        })
    }
}
