//! Is everything there that the snapshots name, and is it what it was?

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{FutureExt, StreamExt, stream};
use uuid::Uuid;

use super::{
    Repository, Segment, Snapshot, config::Config, hashing::copy_hashed, objects,
    reaching::is_damage,
};
use crate::{
    backup::{Fault, Head, SignerKey, Signers},
    error::{Error, Result},
    hash::ContentHash,
};

/// Files read at a time.
const TOGETHER: usize = 4;
/// More would only hide what is wrong.
const DAMAGES_MAX: usize = 1_000;

const STRANGE: &str = "is not signed as it should be, although it says to be of this portal: somebody else has \
                       put it there.";

/// What was looked at and what was found.
#[derive(Debug, Default)]
pub struct Verified {
    pub snapshots: u64,
    pub parts: u64,
    pub files: u64,
    /// Sentences.
    pub damages: Vec<String>,
    /// What is no damage, and yet should be known; sentences.
    pub warnings: Vec<String>,
    /// Paths of what lies there and is damaged: files and parts, which the next backup writes anew
    /// when they are gone, and snapshots.
    useless_objects: Vec<String>,
}

impl Repository {
    /// Reads every snapshot and all records in it, and looks whether the files are there; with
    /// `all_data` it reads those too. `advance` hears of each file.
    ///
    /// # Errors
    /// Only what keeps it from looking; what is damaged is in the result.
    pub async fn verify(&self, all_data: bool, advance: impl Fn(u64, u64)) -> Result<Verified> {
        let damages = Config::damages(&self.objects).await?;
        let mut found = Verified { damages, ..Verified::default() };
        let mut parts = HashSet::new();
        let mut files = BTreeMap::new();
        // Lists of which every file is needed.
        let mut wanted_whole = HashSet::new();
        let mut heads = Vec::new();
        for snapshot in self.snapshots().await? {
            found.snapshots += 1;
            let name = snapshot.path();
            let manifest = match self.manifest(&snapshot).await {
                Ok(manifest) => manifest,
                Err(fault) => {
                    found.note(&name, fault)?;
                    continue;
                }
            };
            heads.push((snapshot, Some(manifest.head.clone())));
            for part in &manifest.parts {
                if parts.insert(part.sha256) {
                    found.parts += 1;
                    let path = objects::path("parts", part.sha256);
                    self.part(part).await.map(drop).or_else(|fault| found.note(&path, fault))?;
                }
            }
            // What is known to have been missing then may be in another snapshot.
            let missing: HashSet<_> = manifest.missing.iter().copied().collect();
            let needs_files = !manifest.head.is_records_only;
            for list in &manifest.lists {
                let is_new = parts.insert(list.sha256);
                if !is_new && (!needs_files || wanted_whole.contains(&list.sha256)) {
                    continue;
                }
                let listed = match self.part(list).await {
                    Ok(bytes) => super::snapshots::listed(&bytes),
                    Err(fault) => Err(fault),
                };
                match listed {
                    Ok(_) if !needs_files => {}
                    Ok(listed) => {
                        if !listed.iter().any(|(hash, _)| missing.contains(hash)) {
                            wanted_whole.insert(list.sha256);
                        }
                        let known = listed.into_iter().filter(|(hash, _)| !missing.contains(hash));
                        known.for_each(|file| need(&mut files, file));
                    }
                    Err(fault) if is_new => {
                        found.note(&objects::path("parts", list.sha256), fault)?;
                    }
                    Err(_) => {}
                }
            }
        }
        let mut segments = Vec::new();
        for segment in self.segments(None).await? {
            match self.changes(&segment).await {
                Ok(changes) if self.is_strange_segment(&heads, &segment, changes.signer) => {
                    found.damage(format!("{} {STRANGE}", segment.path()));
                }
                Ok(changes) => {
                    changes.files.into_iter().for_each(|file| need(&mut files, file));
                    segments.push(segment);
                }
                Err(fault) => found.note(&segment.path(), fault)?,
            }
        }
        self.look_for_strangers(&heads, &mut found);
        self.look_for_gaps(&heads, segments, &mut found);
        self.verify_files(files, all_data, &mut found, advance).await?;
        Ok(found)
    }

    fn look_for_strangers(&self, heads: &[(Snapshot, Option<Head>)], found: &mut Verified) {
        let (own, mut unsigned) = (self.signers.key(), 0);
        for ((snapshot, head), is_strange) in heads.iter().zip(self.strangers(heads)) {
            let signer = head.as_ref().and_then(|head| head.signer);
            if is_strange {
                found.damage(format!("{} {STRANGE}", snapshot.path()));
            } else if signer.is_none() || own.is_some_and(|own| signer != Some(own)) {
                unsigned += 1;
            }
        }
        if unsigned > 0 {
            let whom = if own.is_some() { " by this portal" } else { "" };
            found.warnings.push(format!(
                "{unsigned} of the snapshots are not signed{whom}: an earlier version or another \
                 portal made them, or somebody else has put them there."
            ));
        }
    }

    /// Changes go on from the newest snapshot of each store without a gap: what lies behind one cannot be
    /// restored.
    fn look_for_gaps(
        &self,
        heads: &[(Snapshot, Option<Head>)],
        mut segments: Vec<Segment>,
        found: &mut Verified,
    ) {
        let mut reached: HashMap<Uuid, u64> = HashMap::new();
        for ((_, head), is_strange) in heads.iter().zip(self.strangers(heads)) {
            if let Some(head) = head.as_ref().filter(|_| !is_strange) {
                let newest = reached.entry(head.lineage).or_default();
                *newest = head.sequence.max(*newest);
            }
        }
        segments.sort_by_key(|segment| (segment.from, segment.to));
        for segment in segments {
            let Some(reached) = reached.get_mut(&segment.lineage) else { continue };
            if segment.from > reached.saturating_add(1) {
                found.damage(format!(
                    "Changes before {} are missing: what lies behind them cannot be restored.",
                    segment.path()
                ));
            }
            *reached = segment.to.max(*reached);
        }
    }

    /// A segment must have the signature of its store from the first signed snapshot on.
    fn is_strange_segment(
        &self,
        heads: &[(Snapshot, Option<Head>)],
        segment: &Segment,
        signer: Option<SignerKey>,
    ) -> bool {
        let Some(own) = self.signers.key().filter(|own| signer != Some(*own)) else { return false };
        let goes_on_from = |head: &Head| {
            let is_before = head.lineage == segment.lineage && head.sequence < segment.to;
            is_before && head.signer == Some(own)
        };
        matches!(self.signers, Signers::Only(_))
            || heads.iter().filter_map(|(_, head)| head.as_ref()).any(goes_on_from)
    }

    async fn verify_files(
        &self,
        files: BTreeMap<ContentHash, u64>,
        all_data: bool,
        found: &mut Verified,
        advance: impl Fn(u64, u64),
    ) -> Result<()> {
        let total = files.len() as u64;
        let there = self.objects.hashes("files").await?;
        let (there, missing): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(hash, _)| there.contains(hash));
        for (hash, _) in missing {
            found.files += 1;
            found.damages.push(format!("The file {hash} is missing."));
        }
        if !all_data {
            found.files += there.len() as u64;
            return Ok(());
        }
        let mut read = stream::iter(there)
            .map(|(hash, size_bytes)| {
                async move { (hash, self.verify_file(hash, size_bytes).await) }.boxed()
            })
            .buffer_unordered(TOGETHER);
        while let Some((hash, outcome)) = read.next().await {
            found.files += 1;
            outcome.or_else(|fault| found.note(&objects::path("files", hash), fault))?;
            advance(found.files, total);
        }
        Ok(())
    }

    /// Its hash says whether it is whole; what it may be as long as keeps a bomb from being unpacked.
    async fn verify_file(&self, hash: ContentHash, bytes_max: u64) -> Result<()> {
        let read = move |input: &mut dyn std::io::Read| {
            copy_hashed(input, &mut std::io::sink(), hash, bytes_max)
        };
        match self.file(hash, read).await? {
            Some(_) => Ok(()),
            None => Err(Error::NotFound("It has gone meanwhile.".into())),
        }
    }

    /// Removes what [`verify`](Self::verify) found to be damaged: files and parts, so that the next
    /// backup writes them anew, and snapshots, so that a prune need not know what they need.
    pub async fn remove_damaged(&self, verified: &Verified) -> Result<()> {
        for path in &verified.useless_objects {
            self.objects.remove(path).await?;
        }
        Ok(())
    }
}

/// Notes a file that is needed, with the largest size that is said of it: whoever may write to the place
/// can say anything of it.
fn need(files: &mut BTreeMap<ContentHash, u64>, (hash, size_bytes): (ContentHash, u64)) {
    let largest = files.entry(hash).or_default();
    *largest = size_bytes.max(*largest);
}

impl Verified {
    /// Notes damage; anything else, such as a disk that cannot be reached or a key that is missing,
    /// is an error of the whole.
    fn note(&mut self, path: &str, fault: Error) -> Result<()> {
        let is = |known: Fault| match &fault {
            Error::Invalid { message, .. } => *message == known.to_string(),
            _ => false,
        };
        let (is_damaged, is_forged) = (is_damage(&fault), is(Fault::Forged));
        let what = match &fault {
            Error::NotFound(_) => format!("{path} is missing."),
            _ if is_damaged => format!("{path} is damaged."),
            _ if is_forged => {
                format!("{path} is not what its signature says: somebody has changed it.")
            }
            // Of one object, and no reason not to look at the others.
            Error::Invalid { message, .. } if !is(Fault::Locked) => format!("{path}: {message}"),
            _ => return Err(fault),
        };
        let is_useless = match path.split('/').next() {
            Some("files" | "parts") => is_damaged,
            // Nobody restores it, and nobody knows what a prune must leave for it.
            Some("snapshots") => is_damaged || is_forged,
            _ => false,
        };
        if is_useless {
            self.useless_objects.push(path.into());
        }
        self.damage(what);
        Ok(())
    }

    fn damage(&mut self, what: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(what);
        }
    }
}
