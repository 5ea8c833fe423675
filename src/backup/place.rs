//! Where backups are kept: a folder, or a bucket of S3.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::PathBuf, str::FromStr, sync::Arc};

use anyhow::Context;
use object_store::{ObjectStore, local::LocalFileSystem};

use crate::error::{Error, Result};

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

/// Opens a place; `makes_it` makes a folder that is missing.
pub fn object_store(place: &Place, makes_it: bool) -> Result<Arc<dyn ObjectStore>> {
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
            Ok(Arc::new(local.with_fsync(true)))
        }
        Place::Bucket { .. } => {
            Err(Error::invalid("This version cannot keep backups in S3. Name a folder."))
        }
    }
}
