//! Reading and listing objects. What comes is what S3 sends, no byte more or less; whoever asked
//! compares the hash.

use std::{ops::Range, sync::Arc};

use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path as Key,
};

use super::{Direction, Remote, failed};
use crate::{
    blobs::{
        layout::{self, FileName},
        objects::{self, Object},
        opening::{self, Opened, Source},
    },
    error::Result,
    hash::ContentHash,
    s3::Fault,
};

impl Remote {
    /// The object, or a range of it, whose end is cut at its size; `None` when there is none. The
    /// bytes are those that S3 sends: whoever asked compares the hash.
    pub async fn get(
        self: &Arc<Self>,
        hash: ContentHash,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>> {
        let wanted = match range {
            None => None,
            // Nothing can be asked for; the size tells whether that nothing is inside.
            Some(range) if range.start >= range.end => return self.get_nothing(hash, range).await,
            // Some servers count in signed numbers.
            Some(range) if range.end > i64::MAX as u64 => Some(GetRange::Offset(range.start)),
            Some(range) => Some(GetRange::Bounded(range)),
        };
        let range = wanted.clone();
        let options = GetOptions { range: wanted, ..GetOptions::default() };
        let pass = self.admit(Direction::Read)?;
        let key = self.key(hash);
        let found = self.read(pass, || self.store.get_opts(&key, options.clone())).await?;
        let found = match (found, range) {
            (Ok(found), _) => found,
            (Err(fault), _) if fault.is_missing_object() => return Ok(None),
            (Err(fault), Some(GetRange::Bounded(range))) if fault.is_unsatisfiable_range() => {
                return self.get_nothing(hash, range).await;
            }
            (Err(fault), Some(GetRange::Offset(start))) if fault.is_unsatisfiable_range() => {
                return self.get_nothing(hash, start..u64::MAX).await;
            }
            (Err(fault), _) => return Err(failed(fault, || format!("reading object {key}"))),
        };
        let (size_bytes, range) = (found.meta.size, found.range.clone());
        let source = Source::Stream(self.resuming(key, found, pass));
        Ok(Some(Opened { size_bytes, range, source }))
    }

    /// An empty range, which HTTP cannot ask for.
    async fn get_nothing(
        self: &Arc<Self>,
        hash: ContentHash,
        range: Range<u64>,
    ) -> Result<Option<Opened>> {
        let Some(object) = self.head(hash).await? else { return Ok(None) };
        let range = opening::cut(range, object.size_bytes)?;
        let source = Source::Stream(futures_util::stream::empty().boxed());
        Ok(Some(Opened { size_bytes: object.size_bytes, range: range.start..range.start, source }))
    }

    /// What is known about an object; `None` when there is none.
    pub async fn head(self: &Arc<Self>, hash: ContentHash) -> Result<Option<Object>> {
        let pass = self.admit(Direction::Read)?;
        let key = self.key(hash);
        match self.read(pass, || self.look_at(&key)).await? {
            Ok(meta) => objects::object(FileName::source(hash), &meta).map(Some),
            Err(fault) if fault.is_missing_object() => Ok(None),
            Err(fault) => Err(failed(fault, || format!("looking at object {key}"))),
        }
    }

    /// Reads the first byte of an object: an answer to `HEAD` has no body, and so cannot say whether it
    /// is the object that is missing, or the bucket.
    pub(super) async fn look_at(&self, key: &Key) -> object_store::Result<ObjectMeta> {
        let first = Some(GetRange::Bounded(0..1));
        let options = GetOptions { range: first, ..GetOptions::default() };
        match self.store.get_opts(key, options).await {
            Ok(found) => {
                let meta = found.meta.clone();
                // To its end, so that the connection can be used again.
                found.bytes().await?;
                Ok(meta)
            }
            // An empty one has none.
            Err(error) if Fault::of(&error).is_unsatisfiable_range() => self.store.head(key).await,
            Err(error) => Err(error),
        }
    }

    /// Every source whose hash begins with this byte, in order. Memory: one 256th of all.
    pub async fn list(self: &Arc<Self>, first_byte: u8) -> Result<Vec<Object>> {
        let pass = self.admit(Direction::Read)?;
        let folder = self.full_key(&layout::folder_name(first_byte));
        let metas = self
            .read(pass, || self.store.list(Some(&folder)).try_collect::<Vec<_>>())
            .await?
            .map_err(|fault| failed(fault, || format!("listing the objects in {folder}")))?;
        let mut objects = Vec::new();
        for meta in metas {
            let name = meta.location.filename().and_then(|name| name.parse::<FileName>().ok());
            if let Some(name) = name.filter(|name| name.derived.is_none()) {
                objects.push(objects::object(name, &meta)?);
            }
        }
        objects.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(objects)
    }
}
