//! The objects of a repository: compressed, perhaps encrypted, written whole or not at all.

use std::{
    collections::HashSet,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path as FilePath,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use futures_util::TryStreamExt;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, buffered::BufWriter, path::Path as Address,
};
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{
    Uploads, folder,
    reaching::{Unreachable, is_unreachable, way},
};
use crate::backup::{
    Fault, Key, Lock, Place,
    frames::{FrameReader, FrameWriter},
    sealing,
};
use crate::{
    blocking::blocking,
    error::{Error, Result},
    hash::ContentHash,
    s3,
    space::require,
};

/// What is larger goes to a bucket in pieces of this size, so many of them at a time.
const UPLOAD_BYTES: usize = 8 << 20;
const UPLOADS_MAX: usize = 2;
/// Some are left for what encryption adds.
const PIECES_MAX: u64 = 9_000;

/// Of a segment; whoever writes one ends far earlier.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// Of a configuration or a lease, which have some hundred.
const PLAIN_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    pub uploads: Option<Uploads>,
    /// The bucket, when it is one.
    bucket: Option<Arc<str>>,
    /// The folder, when it is one.
    root: Option<Arc<FilePath>>,
    /// What a folder must keep free.
    pub reserve_bytes: u64,
    pub lock: Lock,
    /// `None` in an encrypted repository: it can be written, not read.
    pub key: Key,
}

/// What an object took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub objects: u64,
    /// As they are stored: compressed.
    pub bytes: u64,
}

/// An object that is there.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub path: String,
    pub size_bytes: u64,
}

impl Listed {
    /// Behind the last slash.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

impl Written {
    pub fn add(&mut self, other: Written) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

impl Objects {
    pub fn at(place: &Place, (store, uploads): (Arc<dyn ObjectStore>, Option<Uploads>)) -> Self {
        let (root, bucket) = match place {
            Place::Folder(folder) => (Some(folder.as_path().into()), None),
            Place::Bucket { .. } => (None, Some(place.to_string().into())),
        };
        let (lock, key) = (Lock::Open, Key::None);
        Objects { store, uploads, bucket, root, reserve_bytes: 0, lock, key }
    }

    /// Makes sure that so many bytes more fit into a folder and leave its reserve free.
    ///
    /// # Errors
    /// `Full`, with the numbers.
    pub async fn require_room(&self, bytes: u64) -> Result<()> {
        let Some(root) = self.root.clone() else { return Ok(()) };
        let reserve_bytes = self.reserve_bytes;
        blocking(move || require(&root, bytes, reserve_bytes)).await
    }

    /// Writes an object; `fill` brings its content, about so many bytes, and an error of it leaves no
    /// object.
    pub async fn write(
        &self,
        path: &str,
        size_bytes: Option<u64>,
        fill: impl FnOnce(&mut dyn Write) -> Result<()> + Send + 'static,
    ) -> Result<Written> {
        let piece_bytes = piece_bytes(size_bytes.unwrap_or(0));
        let (store, lock, address) = (self.store.clone(), self.lock.clone(), Address::from(path));
        let written = blocking(move || {
            let upload = BufWriter::with_capacity(store, address, piece_bytes)
                .with_max_concurrency(UPLOADS_MAX);
            let mut counted = Counted { out: SyncIoBridge::new(upload), bytes: 0 };
            if let Err(fault) = write_sealed(&mut counted, &lock, fill) {
                let mut upload = counted.out.into_inner();
                // A bucket keeps, and charges for, the pieces of what was never ended.
                if let Err(left) = Handle::current().block_on(upload.abort()) {
                    tracing::warn!("ending an upload early: {left}");
                }
                return Err(fault);
            }
            counted.out.shutdown()?;
            Ok(Written { objects: 1, bytes: counted.bytes })
        });
        written.await.map_err(|fault| self.while_doing(fault, "writing", path))
    }

    /// Hands the content of an object to `read`, on a thread that may wait. `None` when there is no
    /// such object.
    pub async fn read<T: Send + 'static>(
        &self,
        path: &str,
        read: impl FnOnce(&mut dyn Read) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let found = match self.store.get(&Address::from(path)).await {
            Ok(found) => found,
            Err(fault) if is_missing(&fault) => return Ok(None),
            Err(fault) => return Err(self.failed(fault, "reading", path)),
        };
        let pieces = StreamReader::new(found.into_stream().map_err(io::Error::from));
        let (key, is_locked) = (self.key.clone(), self.lock != Lock::Open && self.key == Key::None);
        let read = blocking(move || {
            let opened = sealing::open(SyncIoBridge::new(pieces), &key);
            let opened = opened.map_err(|fault| match fault {
                // The repository's own key opens all that was written here, so it is not the wrong one.
                Error::Invalid { .. } if !is_locked => Fault::NotABackup.into(),
                fault => fault,
            })?;
            read(&mut FrameReader::new(opened)).map(Some)
        });
        read.await.map_err(|fault| match is_unreachable(&fault) {
            true => self.while_doing(fault, "reading", path),
            false => fault,
        })
    }

    /// The whole content of a small object.
    pub async fn read_all(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
        self.read(path, move |input| {
            let mut bytes = Vec::new();
            bounded(input, bytes_max).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
    }

    pub async fn is_there(&self, path: &str) -> Result<bool> {
        match self.store.head(&Address::from(path)).await {
            Ok(_) => Ok(true),
            Err(fault) if is_missing(&fault) => Ok(false),
            Err(fault) => Err(self.failed(fault, "looking for", path)),
        }
    }

    /// What is neither compressed nor encrypted.
    pub async fn read_plain(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let bytes = async {
            let found = self.store.get(&Address::from(path)).await?;
            match found.meta.size > PLAIN_BYTES_MAX {
                true => Ok(None),
                false => found.bytes().await.map(Some),
            }
        };
        match bytes.await {
            Ok(Some(bytes)) => Ok(Some(bytes.to_vec())),
            Ok(None) => Err(Error::invalid(format!(
                "{path} of this repository is far larger than anything we write there: somebody else \
                 has written it."
            ))),
            Err(fault) if is_missing(&fault) => Ok(None),
            Err(fault) => Err(self.failed(fault, "reading", path)),
        }
    }

    pub async fn write_plain(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let written = self.store.put(&Address::from(path), bytes.into()).await;
        written.map(drop).map_err(|fault| self.failed(fault, "writing", path))
    }

    /// Writes what must not be there yet; that it is there is fine.
    pub async fn create(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let content = bytes.clone();
        match self.store.put_opts(&Address::from(path), bytes.into(), options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            // An S3 that cannot tell: of two at the same moment the second wins, and
            // [`Adding::finish`](super::Adding::finish) tells the first.
            Err(fault) if s3::Fault::of(&fault).is_not_implemented() => {
                match self.read_plain(path).await? {
                    Some(_) => Ok(()),
                    None => self.write_plain(path, content).await,
                }
            }
            Err(fault) => Err(self.failed(fault, "writing", path)),
        }
    }

    /// The objects below a folder, in the order of their names.
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let mut listed = match self.root.clone() {
            Some(root) => {
                let folder = folder.to_owned();
                blocking(move || folder::list(&root, folder)).await?
            }
            None => self.list_bucket(folder).await?,
        };
        listed.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listed)
    }

    async fn list_bucket(&self, folder: &str) -> Result<Vec<Listed>> {
        let listed = self.store.list(Some(&Address::from(folder)));
        let listed =
            listed.map_ok(|meta| Listed { path: meta.location.to_string(), size_bytes: meta.size });
        listed.try_collect().await.map_err(|fault| self.failed(fault, "listing", folder))
    }

    /// Removes what writers left behind in a folder that were killed.
    pub async fn remove_unfinished(&self) -> Result<()> {
        let Some(root) = self.root.clone() else { return Ok(()) };
        let doing = format!("removing unfinished objects in {}", root.display());
        blocking(move || Ok(folder::remove_unfinished(&root).context(doing)?)).await
    }

    /// The hashes that objects below a folder are named by.
    pub async fn hashes(&self, folder: &str) -> Result<HashSet<ContentHash>> {
        let listed = self.list(folder).await?;
        Ok(listed.iter().filter_map(|one| one.name().parse().ok()).collect())
    }

    /// Removes an object; that it is gone is fine.
    pub async fn remove(&self, path: &str) -> Result<()> {
        match self.store.delete(&Address::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(fault) => Err(self.failed(fault, "removing", path)),
        }
    }

    fn failed(&self, fault: object_store::Error, doing: &str, path: &str) -> Error {
        self.while_doing(Error::Internal(fault.into()), doing, path)
    }

    /// Says what was being done; when a bucket was the reason, also what to do about it.
    fn while_doing(&self, fault: Error, doing: &str, path: &str) -> Error {
        let Error::Internal(chain) = fault else { return fault };
        let Some(bucket) = &self.bucket else {
            return Error::Internal(chain.context(format!("{doing} {path} in the repository")));
        };
        let known = chain.chain().find_map(way).map(s3::Fault::of);
        let doing = format!("{doing} {path} in {bucket}");
        Error::Internal(match known {
            None => chain.context(doing),
            Some(known) => {
                let permission = "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket";
                let advice = known.advice(permission, bucket);
                let reason = anyhow!(Unreachable(advice));
                reason.context(known.text).context(doing)
            }
        })
    }
}

/// A bucket takes ten thousand pieces of one object, so those of a huge one are larger; of these, and of
/// no more, a few are in memory at a time.
fn piece_bytes(size_bytes: u64) -> usize {
    let needed = size_bytes.div_ceil(PIECES_MAX);
    UPLOAD_BYTES.max(usize::try_from(needed).unwrap_or(usize::MAX))
}

fn write_sealed(
    out: impl Write,
    lock: &Lock,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut frames = FrameWriter::new(sealing::seal(out, lock)?);
    fill(&mut frames)?;
    frames.finish()?.finish()?;
    Ok(())
}

/// What is read into memory: whoever owns the place may have put there what has no end.
fn bounded<R: Read>(input: R, bytes_max: u64) -> impl Read {
    Bounded { input, left: bytes_max }
}

/// As [`bounded`], for a segment.
pub(super) fn bounded_segment<R: BufRead>(input: R) -> impl BufRead {
    BufReader::new(bounded(input, SEGMENT_BYTES_MAX))
}

struct Bounded<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it is far larger than anything we write")
        })?;
        Ok(read)
    }
}

/// The object, and not the bucket.
fn is_missing(fault: &object_store::Error) -> bool {
    matches!(fault, object_store::Error::NotFound { .. })
        && s3::Fault::of(fault).code != "NoSuchBucket"
}

/// Where the object with this hash lies.
pub(super) fn path(folder: &str, hash: ContentHash) -> String {
    format!("{folder}/{:02x}/{hash}", hash.0[0])
}

struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
