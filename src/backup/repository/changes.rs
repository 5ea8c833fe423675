//! Segments: what changed since the last snapshot, shipped every few seconds. Each one brings the
//! records that changed to exactly the state of one moment, so whoever applies them in order to a
//! snapshot has the state of that moment.

use std::io::{BufRead, BufReader, Read, Write};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Repository, Written, objects::bounded_segment};
use crate::{
    backup::{Signature, SignerKey, signing::Purpose},
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// More changes than a portal puts into one.
const LINES_MAX: usize = 1_000_000;
/// The first line names all new files, a record has some kilobytes.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A segment as its name tells it: the changes `from` to `to` of a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    pub lineage: Uuid,
    pub from: u64,
    pub to: u64,
    /// The moment that it leads to.
    pub at: Timestamp,
}

/// The first line of a segment.
#[derive(Serialize, Deserialize)]
struct Opening {
    /// New files, which are in the repository before the segment is.
    files: Vec<(ContentHash, u64)>,
    /// Of these, of the lines that follow, and of the segment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
}

/// What a segment holds.
#[derive(Debug)]
pub struct Changes {
    pub files: Vec<(ContentHash, u64)>,
    pub lines: Vec<SegmentLine>,
    pub signer: Option<SignerKey>,
}

/// What a record is at the moment of the segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentLine {
    pub table: String,
    /// In hexadecimal digits.
    pub key: String,
    /// `None` when there is none any more.
    pub record: Option<Value>,
}

impl Segment {
    pub(super) fn path(&self) -> String {
        let Segment { lineage, from, to, at } = self;
        format!("segments/{lineage}/{from:020}-{to:020}-{}", at.as_millisecond())
    }

    fn of_path(path: &str) -> Option<Self> {
        let (lineage, name) = path.strip_prefix("segments/")?.split_once('/')?;
        let mut numbers = name.split('-');
        let from = numbers.next()?.parse().ok()?;
        let to = numbers.next()?.parse().ok()?;
        let at = Timestamp::from_millisecond(numbers.next()?.parse().ok()?).ok()?;
        Some(Segment { lineage: lineage.parse().ok()?, from, to, at })
    }
}

impl Repository {
    /// Writes a segment; its files are there already.
    pub(super) async fn ship(
        &self,
        segment: &Segment,
        files: Vec<(ContentHash, u64)>,
        lines: Vec<SegmentLine>,
    ) -> Result<Written> {
        let (signer, path) = (self.signer.clone(), segment.path());
        let fill = move |out: &mut dyn Write| {
            let mut body = Vec::new();
            for line in &lines {
                serde_json::to_writer(&mut body, line).context("writing a change")?;
                body.push(b'\n');
            }
            let message = message(&path, &files, &Digest::of(&body))?;
            let signature = signer.map(|signer| signer.sign(Purpose::Segment, &message));
            let opening = serde_json::to_vec(&Opening { files, signature });
            out.write_all(&opening.context("writing a segment")?)?;
            out.write_all(b"\n")?;
            Ok(out.write_all(&body)?)
        };
        self.objects.write(&segment.path(), None, fill).await
    }

    /// The segments of one store or of all, in their order.
    pub async fn segments(&self, lineage: Option<Uuid>) -> Result<Vec<Segment>> {
        let folder = match lineage {
            Some(lineage) => format!("segments/{lineage}"),
            None => "segments".into(),
        };
        let listed = self.objects.list(&folder).await?;
        let paths = listed.iter().map(|one| one.path.as_str());
        Ok(paths.filter_map(Segment::of_path).collect())
    }

    /// What a segment holds, read to its end, where the checksum is.
    ///
    /// # Errors
    /// [`Fault::Forged`] when its signature is not one of it.
    pub async fn changes(&self, segment: &Segment) -> Result<Changes> {
        let path = segment.path();
        let read = move |input: &mut dyn Read| {
            let mut lines = Vec::new();
            let keep = |line: &[u8]| {
                lines.push(serde_json::from_slice(line).context("reading a change")?);
                Ok(())
            };
            let (files, signer) = read_segment(&path, &mut BufReader::new(input), keep)?;
            Ok(Changes { files, lines, signer })
        };
        self.objects.read(&segment.path(), read).await?.ok_or_else(|| missing(segment))
    }

    /// As [`changes`](Self::changes), and only the files that it names, and who has signed it: so the
    /// changes of many are not in memory at a time.
    pub(super) async fn named_files(
        &self,
        segment: &Segment,
    ) -> Result<(Vec<(ContentHash, u64)>, Option<SignerKey>)> {
        let path = segment.path();
        let read =
            move |input: &mut dyn Read| read_segment(&path, &mut BufReader::new(input), |_| Ok(()));
        self.objects.read(&segment.path(), read).await?.ok_or_else(|| missing(segment))
    }
}

/// `keep` is handed each line; the files, and who has signed it.
fn read_segment(
    path: &str,
    input: &mut impl BufRead,
    mut keep: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(Vec<(ContentHash, u64)>, Option<SignerKey>)> {
    let input = &mut bounded_segment(input);
    let damaged = |what: &'static str| Error::Internal(anyhow!(what));
    let line = next_line(input)?.ok_or_else(|| damaged("a segment is empty"))?;
    let Opening { files, signature } =
        serde_json::from_slice(&line).context("reading a segment")?;
    let (mut lines, mut digest) = (0, Digest::new());
    while let Some(line) = next_line(input)? {
        digest.update(&line);
        keep(&line)?;
        lines += 1;
        if lines > LINES_MAX {
            return Err(damaged("a segment has more changes than any portal writes"));
        }
    }
    let message = message(path, &files, &digest.finish())?;
    let signer = signature.map(|one| one.signer(Purpose::Segment, &message)).transpose()?;
    Ok((files, signer))
}

/// With the byte that ends it.
fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(Error::Internal(anyhow!("a line of a segment has no end"))),
    }
}

fn message(path: &str, files: &[(ContentHash, u64)], body: &ContentHash) -> Result<Vec<u8>> {
    let files = serde_json::to_vec(files).context("reading a segment")?;
    Ok(format!("{path}\n{}\n{body}\n", Digest::of(&files)).into_bytes())
}

fn missing(segment: &Segment) -> Error {
    Error::NotFound(format!("{} is missing.", segment.path()))
}
