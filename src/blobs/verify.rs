//! Whether a blob still is what its name says.

use anyhow::Context;
use futures_util::TryStreamExt;

use super::{Blobs, Opened, Source, digest::hash_file, disk};
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Intact {
        size_bytes: u64,
    },
    /// The bytes that a reader would get have another hash.
    Damaged {
        found: ContentHash,
        size_bytes: u64,
    },
    Missing,
}

impl Blobs {
    /// Reads all of a blob, as a reader would get it, and compares the hash. Keeps one core busy
    /// meanwhile: ask for one after the other.
    pub async fn verify(&self, hash: ContentHash) -> Result<Verdict> {
        match self.look_for(hash, None).await? {
            Some(opened) => judge(hash, opened).await,
            None => Ok(Verdict::Missing),
        }
    }
}

/// Reads all of a copy.
pub(super) async fn judge(hash: ContentHash, opened: Opened) -> Result<Verdict> {
    let doing = move || format!("verifying blob {hash}");
    let (found, size_bytes) = match opened.source {
        Source::File(file) => {
            disk::blocking(move || Ok(hash_file(&file).with_context(doing)?)).await?
        }
        Source::Stream(mut pieces) => {
            let mut digest = Digest::new();
            let mut size_bytes = 0;
            while let Some(piece) =
                pieces.try_next().await.map_err(Error::from).with_context(doing)?
            {
                size_bytes += piece.len() as u64;
                digest = disk::blocking(move || {
                    digest.update(&piece);
                    Ok(digest)
                })
                .await?;
            }
            (digest.finish(), size_bytes)
        }
    };
    Ok(match found == hash {
        true => Verdict::Intact { size_bytes },
        false => Verdict::Damaged { found, size_bytes },
    })
}
