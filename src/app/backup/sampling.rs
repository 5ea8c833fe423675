//! What a drill asks of a portal that came back: are documents from all over the library found, by their
//! titles and by phrases in their texts? The texts are read anew from the files that came back, in the
//! sandbox, as a portal does after a restore.

use std::sync::Arc;

use crate::{
    app::{App, Find, extraction::TEXT},
    domain::{
        access::Actor,
        blobs::{self, Extraction, Facts},
        documents::{Document, Status},
        organizations,
    },
    error::Result,
    extract::{self, ExtractError, Refusal, Wanted},
    hash::ContentHash,
    store::ReadTx,
};

/// Documents that are looked for.
const SAMPLE: usize = 20;
/// How far into a text a phrase is looked for.
const TEXT_BYTES_MAX: usize = 64 << 10;
const PHRASE_WORDS: usize = 4;
/// A phrase that so many documents have says nothing of one.
const FOUND_MAX: usize = 100;

/// A document, somebody who sees it, and a phrase of its text.
pub(super) struct Sampled {
    document: Document,
    actor: Actor,
    phrase: Option<String>,
}

/// How many searches there were, and how many of them for phrases.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Searched {
    pub searches: u64,
    pub phrases: u64,
}

impl App {
    /// Chooses documents in a portal that came back. With `has_files`, the text of each that has one in
    /// this portal is read anew.
    pub(super) async fn sample_of(
        &self,
        restored: &Arc<App>,
        has_files: bool,
        damages: &mut Vec<String>,
    ) -> Result<Vec<Sampled>> {
        let chosen = restored.store.read(choose).await?;
        let mut sample = Vec::new();
        for (document, actor) in chosen {
            let mut phrase = None;
            let file = document.current.as_ref().filter(|_| has_files);
            if let Some((hash, name)) = file.map(|file| (file.blob, file.filename.clone()))
                && let Some(known) = self.known_text(hash).await?
            {
                match self.read_text(restored, hash, &name).await? {
                    Ok(()) => phrase = phrase_in(&known),
                    Err(reason) => damages.push(format!(
                        "The text of the document “{}” cannot be read: {reason}",
                        document.title
                    )),
                }
            }
            sample.push(Sampled { document, actor, phrase });
        }
        Ok(sample)
    }

    /// The beginning of the text that this portal has read from a file.
    async fn known_text(&self, hash: ContentHash) -> Result<Option<String>> {
        let text = self.blobs.read_derived_start(hash, TEXT, TEXT_BYTES_MAX).await?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Reads the text of a file that came back; the inner error is a sentence.
    async fn read_text(
        &self,
        restored: &Arc<App>,
        hash: ContentHash,
        name: &str,
    ) -> Result<Result<(), String>> {
        // What is missing is named by the look at all files.
        let Ok(file) = restored.blobs.open_file(hash).await else { return Ok(Ok(())) };
        let head = restored.blobs.open(hash, Some(0..extract::HEAD_BYTES as u64)).await?;
        let head = head.read(extract::HEAD_BYTES).await?;
        let format = extract::recognize(&head, name).format;
        let wanted = Wanted { text: true, thumbnail: false, previews_max: 0 };
        let extract = match self.extractor.extract(file, format, wanted).await {
            Ok(extract) => extract,
            // That says something of this machine, and nothing of the backup.
            Err(ExtractError::Busy | ExtractError::Refused(Refusal::Unsandboxed)) => {
                return Ok(Ok(()));
            }
            Err(fault) => return Ok(Err(fault.sentence())),
        };
        let has_text = !extract.text.trim().is_empty();
        let facts = Facts { language: extract.language, has_text, ..Facts::default() };
        restored.blobs.put_derived(hash, TEXT, extract.text.into()).await?;
        restored
            .store
            .write(move |tx| blobs::mark_extracted(tx, hash, Extraction::Done(facts)))
            .await?;
        Ok(Ok(()))
    }

    /// Looks for the sample in this portal, which came back.
    pub(super) async fn search_for(
        &self,
        sample: Vec<Sampled>,
        damages: &mut Vec<String>,
    ) -> Result<Searched> {
        let mut searched = Searched::default();
        for Sampled { document, actor, phrase } in sample {
            searched.searches += 1;
            if !self.is_found(&document, &actor, &document.title).await? {
                let title = &document.title;
                damages.push(format!("The document “{title}” is not found by its title."));
            }
            let Some(phrase) = phrase else { continue };
            searched.searches += 1;
            searched.phrases += 1;
            if !self.is_found(&document, &actor, &phrase).await? {
                damages.push(format!(
                    "The document “{}” is not found by what is in it, “{phrase}”.",
                    document.title
                ));
            }
        }
        Ok(searched)
    }

    async fn is_found(&self, document: &Document, actor: &Actor, phrase: &str) -> Result<bool> {
        let text = format!("\"{}\"", phrase.replace('"', " "));
        let page = self.find(actor.clone(), Find { text, limit: FOUND_MAX, ..Find::default() });
        let page = page.await?;
        let is_first = page.documents.iter().any(|found| found.document.id == document.id);
        Ok(is_first || page.total as usize >= FOUND_MAX)
    }
}

/// Documents from all over the library, each with somebody who sees it.
fn choose(tx: &ReadTx) -> Result<Vec<(Document, Actor)>> {
    let count = tx.records::<Document>().count()?;
    let step = (count as usize / SAMPLE).max(1);
    let mut sample = Vec::new();
    for document in tx.records::<Document>().iter()?.step_by(step).take(SAMPLE) {
        let document = document?;
        let is_listed = document.trashed.is_none() && document.status == Status::Published;
        if is_listed && organizations::get(tx, document.organization).is_ok() {
            let actor = Actor::system("drill", Some(document.organization));
            sample.push((document, actor));
        }
    }
    Ok(sample)
}

/// Some words that follow each other, from the middle of a text.
fn phrase_in(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_plain = |word: &&str| word.len() < 30 && word.chars().all(char::is_alphanumeric);
    let phrases = words.windows(PHRASE_WORDS).filter(|phrase| phrase.iter().all(is_plain));
    let phrases: Vec<_> = phrases.take(1_000).collect();
    phrases.get(phrases.len() / 2).map(|phrase| phrase.join(" "))
}
