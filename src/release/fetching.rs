//! A release from a file or from an address, with the list that vouches for it.

use std::{
    error::Error as _,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use reqwest::{Client, StatusCode, Url, redirect::Policy};

use super::{PublicKey, SIGNATURE, SUMS, SUMS_BYTES_MAX, Sums, sums::version_in};
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
    size::Size,
    version::Version,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// All of a list or a signature, and all of a release: who sends a byte now and then is no channel.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
const RELEASE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
const REDIRECTS_MAX: usize = 5;
/// One has some tens of mebibytes.
const RELEASE_BYTES_MAX: u64 = 512 << 20;
const SIGNATURE_BYTES_MAX: u64 = 4 << 10;

/// Where a release comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    Address(Url),
}

impl Origin {
    /// # Errors
    /// `Invalid` for an address that anybody on the way could change, `NotFound` for a file that is
    /// not there.
    pub fn named(text: &str) -> Result<Self> {
        if !text.contains("://") {
            let path = PathBuf::from(text);
            return match path.is_file() {
                true => Ok(Origin::File(path)),
                false => Err(Error::NotFound(format!("There is no file {text}."))),
            };
        }
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "https");
        url.map(Origin::Address).ok_or_else(|| {
            Error::invalid(format!("“{text}” is no address of a release: it begins with https://"))
        })
    }

    /// A file in the folder of a channel.
    pub fn in_channel(channel: &str, name: &str) -> Result<Self> {
        Origin::named(&format!("{}/{name}", channel.trim_end_matches('/')))
    }

    /// Another file in the same folder.
    fn beside(&self, name: &str) -> Result<Self> {
        match self {
            Origin::File(path) => Ok(Origin::File(path.with_file_name(name))),
            Origin::Address(url) => {
                let mut beside = url.join(name).context("naming a file of the release")?;
                beside.set_query(None);
                Ok(Origin::Address(beside))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Origin::File(path) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
            Origin::Address(url) => {
                url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or("").to_owned()
            }
        }
    }
}

/// Whose word is taken for a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    Key(PublicKey),
    /// Nobody's: somebody said that it need not be signed.
    Nobody,
}

/// A release that lies here now.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub path: PathBuf,
    pub is_signed: bool,
    /// Its checksum was compared with that of a list.
    pub is_compared: bool,
    /// The list beside it.
    pub sums: Option<Sums>,
    /// As its name says; the name of a signed one is signed too.
    pub version: Option<Version>,
}

/// The list of what is to be had beside a file.
pub async fn look(origin: &Origin, trust: &Trust) -> Result<Option<Sums>> {
    let Some(text) = small(&origin.beside(SUMS)?, SUMS_BYTES_MAX).await? else {
        return match trust {
            Trust::Key(_) => Err(Error::invalid(format!(
                "The release is not signed: there is no {SUMS} beside it, with {SIGNATURE}. Who \
                 publishes it makes them with “appliance release sign”; if you know where it comes \
                 from, say --unsigned."
            ))),
            Trust::Nobody => Ok(None),
        };
    };
    let Trust::Key(key) = trust else { return Sums::parse(&text).map(Some) };
    match small(&origin.beside(SIGNATURE)?, SIGNATURE_BYTES_MAX).await? {
        Some(signature) => Sums::signed(&text, &signature, key).map(Some),
        None => Err(Error::invalid(format!(
            "The release is not signed: there is no {SIGNATURE} beside it. If you know where it \
             comes from, say --unsigned."
        ))),
    }
}

/// Brings a release into a folder, after its list has vouched for it.
///
/// # Errors
/// `Invalid` when nobody vouches for it, or it is not what was vouched for.
pub async fn fetch(
    origin: &Origin,
    into: &Path,
    trust: &Trust,
    advance: impl Fn(u64, Option<u64>),
) -> Result<Fetched> {
    let sums = look(origin, trust).await?;
    let name = origin.name();
    let expected = sums.as_ref().map(|sums| sums.hash_of(&name));
    if expected == Some(None) && matches!(trust, Trust::Key(_)) {
        return Err(Error::invalid(format!(
            "The release is not signed: {SUMS} does not name {name}. Do not rename a release."
        )));
    }
    let path = into.join("release");
    let found = match origin {
        Origin::File(file) => copy(file, &path, advance)?,
        Origin::Address(url) => download(url, &path, advance).await?,
    };
    let expected = expected.flatten();
    if expected.is_some_and(|expected| expected != found) {
        return Err(Error::invalid(format!(
            "{name} is not what its checksum says: it is damaged, or was exchanged. Fetch it again."
        )));
    }
    let is_signed = matches!(trust, Trust::Key(_));
    let version = version_in(&name);
    Ok(Fetched { path, is_signed, is_compared: expected.is_some(), sums, version })
}

fn copy(from: &Path, to: &Path, advance: impl Fn(u64, Option<u64>)) -> Result<ContentHash> {
    let mut source = File::open(from).with_context(|| format!("opening {}", from.display()))?;
    let total = source.metadata().context("looking at the release")?.len();
    let mut target = Target::new(to)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer).with_context(|| format!("reading {}", from.display()))? {
            0 => return target.finish(),
            read => target.write(&buffer[..read])?,
        }
        advance(target.bytes, Some(total));
    }
}

async fn download(url: &Url, to: &Path, advance: impl Fn(u64, Option<u64>)) -> Result<ContentHash> {
    let asked = client(RELEASE_TIMEOUT)?.get(url.clone()).send().await;
    let mut answer = asked.map_err(|error| away(url, &error))?;
    if answer.status() != StatusCode::OK {
        return Err(refused(url, answer.status()));
    }
    let total = answer.content_length();
    if total.is_some_and(|total| total > RELEASE_BYTES_MAX) {
        return Err(too_large());
    }
    let mut target = Target::new(to)?;
    while let Some(piece) = answer.chunk().await.map_err(|error| away(url, &error))? {
        target.write(&piece)?;
        advance(target.bytes, total);
    }
    target.finish()
}

struct Target {
    file: File,
    digest: Digest,
    bytes: u64,
}

impl Target {
    fn new(path: &Path) -> Result<Self> {
        let file = File::create_new(path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Target { file, digest: Digest::new(), bytes: 0 })
    }

    fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.bytes += piece.len() as u64;
        if self.bytes > RELEASE_BYTES_MAX {
            return Err(too_large());
        }
        self.digest.update(piece);
        Ok(self.file.write_all(piece).context("writing the release")?)
    }

    fn finish(self) -> Result<ContentHash> {
        self.file.sync_all().context("writing the release")?;
        Ok(self.digest.finish())
    }
}

/// A text; `None` when it is not there.
async fn small(origin: &Origin, bytes_max: u64) -> Result<Option<String>> {
    let bytes = match origin {
        Origin::File(path) => match fs::metadata(path) {
            Ok(found) if found.len() <= bytes_max => {
                fs::read(path).with_context(|| format!("reading {}", path.display()))?
            }
            Ok(_) => return Err(too_long(path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display()))?,
        },
        Origin::Address(url) => {
            let got = client(LIST_TIMEOUT)?.get(url.clone()).send().await;
            let mut answer = got.map_err(|error| away(url, &error))?;
            match answer.status() {
                StatusCode::OK => {}
                // A bucket that may not be listed says so of what is not there.
                StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => {
                    return Ok(None);
                }
                status => return Err(refused(url, status)),
            }
            let mut bytes = Vec::new();
            while let Some(piece) = answer.chunk().await.map_err(|error| away(url, &error))? {
                bytes.extend_from_slice(&piece);
                if bytes.len() as u64 > bytes_max {
                    return Err(too_long(url));
                }
            }
            bytes
        }
    };
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn too_large() -> Error {
    let size = Size(RELEASE_BYTES_MAX);
    Error::invalid(format!("The release is larger than {size}: it is none."))
}

fn client(limit: Duration) -> Result<Client> {
    Ok(Client::builder()
        .timeout(limit)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(Policy::limited(REDIRECTS_MAX))
        .https_only(true)
        .build()
        .context("preparing to fetch a release")?)
}

fn away(url: &Url, error: &reqwest::Error) -> Error {
    let mut deepest = error.source();
    while let Some(next) = deepest.and_then(|cause| cause.source()) {
        deepest = Some(next);
    }
    let why = deepest.map_or_else(|| error.to_string(), |cause| cause.to_string());
    let message = format!("{url} cannot be fetched: {why}. Try again, or fetch it by hand.");
    Error::Busy { message, retry_after_s: 60 }
}

fn refused(url: &Url, status: StatusCode) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::NotFound(format!("There is nothing at {url} (404).")),
        status => Error::invalid(format!("{url} cannot be fetched: the answer is {status}.")),
    }
}

fn too_long(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{what} is too long for what it should be: it is none."))
}
