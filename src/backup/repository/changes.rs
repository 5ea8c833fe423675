//! Segments: what changed since the last snapshot, shipped every few seconds. Each one brings the
//! records that changed to exactly the state of one moment, so whoever applies them in order to a
//! snapshot has the state of that moment.

use std::io::{self, BufRead, BufReader, Read, Write};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Repository, Written, objects::bounded};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

/// A segment as its name tells it: the changes `from` to `to` of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub async fn ship(
        &self,
        segment: &Segment,
        files: Vec<(ContentHash, u64)>,
        lines: Vec<SegmentLine>,
    ) -> Result<Written> {
        let fill = move |out: &mut dyn Write| {
            let mut put = |json: serde_json::Result<Vec<u8>>| -> Result<()> {
                let mut line = json.context("writing a change")?;
                line.push(b'\n');
                Ok(out.write_all(&line)?)
            };
            put(serde_json::to_vec(&Opening { files }))?;
            lines.iter().try_for_each(|line| put(serde_json::to_vec(line)))
        };
        self.objects.write(&segment.path(), fill).await
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

    /// The changes of a segment.
    pub async fn changes(&self, segment: &Segment) -> Result<Vec<SegmentLine>> {
        let read = |input: &mut dyn Read| {
            let mut lines = BufReader::new(bounded(input)).lines();
            opening(&mut lines)?;
            let parse = |line: io::Result<String>| -> Result<SegmentLine> {
                Ok(serde_json::from_str(&line?).context("reading a change")?)
            };
            lines.map(parse).collect()
        };
        self.objects.read(&segment.path(), read).await?.ok_or_else(|| missing(segment))
    }

    pub async fn segment_files(&self, segment: &Segment) -> Result<Vec<(ContentHash, u64)>> {
        let read = |input: &mut dyn Read| {
            let mut lines = BufReader::new(bounded(input)).lines();
            let files = opening(&mut lines)?;
            // To the end, where the checksum is.
            lines.try_for_each(|line| line.map(drop))?;
            Ok(files)
        };
        self.objects.read(&segment.path(), read).await?.ok_or_else(|| missing(segment))
    }
}

fn opening(
    lines: &mut impl Iterator<Item = io::Result<String>>,
) -> Result<Vec<(ContentHash, u64)>> {
    let line = lines.next().ok_or_else(|| Error::Internal(anyhow!("a segment is empty")))??;
    let opening: Opening = serde_json::from_str(&line).context("reading a segment")?;
    Ok(opening.files)
}

fn missing(segment: &Segment) -> Error {
    Error::NotFound(format!("{} is missing.", segment.path()))
}
