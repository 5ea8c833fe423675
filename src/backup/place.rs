//! Where backups are kept: a folder, or a bucket of S3.

use std::{
    fmt, fs::DirBuilder, os::unix::fs::DirBuilderExt, path::PathBuf, str::FromStr, sync::Arc,
};

use anyhow::Context;
use object_store::{ObjectStore, local::LocalFileSystem, prefix::PrefixStore};

use super::repository::Uploads;
use crate::{
    config::S3Config,
    error::{Error, Result},
    s3::{self, Clients, Patience},
};

/// A folder, or `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Folder(PathBuf),
    Bucket { bucket: String, prefix: String },
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(address) = text.strip_prefix("s3://") else {
            return Ok(Place::Folder(text.into()));
        };
        let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
        if bucket.is_empty() {
            return Err(Error::invalid("A bucket is named like s3://bucket/prefix."));
        }
        let prefix = prefix.trim_matches('/').into();
        Ok(Place::Bucket { bucket: bucket.into(), prefix })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(folder) => folder.display().fmt(f),
            Place::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Place::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Opens a place; `makes_it` makes a folder that is missing. `settings` say how S3 is reached; the
/// bucket is that of the place, and the second result its own client.
pub(super) fn object_store(
    place: &Place,
    settings: &S3Config,
    makes_it: bool,
) -> Result<(Arc<dyn ObjectStore>, Option<Uploads>)> {
    match place {
        Place::Folder(folder) => {
            let doing = || format!("opening the folder {}", folder.display());
            if makes_it {
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(0o700).create(folder).with_context(doing)?;
            } else if !folder.is_dir() {
                return Err(Error::NotFound(format!("There is no folder {}.", folder.display())));
            }
            let local = LocalFileSystem::new_with_prefix(folder).with_context(doing)?;
            Ok((Arc::new(local.with_fsync(true)), None))
        }
        Place::Bucket { bucket, prefix } => {
            if settings.region().is_none() {
                return Err(Error::invalid(format!(
                    "Where {place} is, is not known. Name the region of the bucket with \
                     storage.s3.region, or with another provider than Amazon its address with \
                     storage.s3.endpoint."
                )));
            }
            let settings = S3Config { bucket: bucket.clone(), ..settings.clone() };
            let Clients { store, http, .. } = s3::connect(&settings, Patience::LONG)?;
            let uploads = Uploads { store: store.clone(), http, prefix: prefix.clone() };
            Ok((Arc::new(PrefixStore::new(store, prefix.as_str())), Some(uploads)))
        }
    }
}
