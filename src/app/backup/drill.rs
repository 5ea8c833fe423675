//! The drill: restores the newest backup into a scratch folder, opens it, and looks whether it would
//! do. Nothing of the running portal is touched.

use std::{fs, path::PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Restore, Source, gathering::files_bytes, restore};
use crate::{
    app::{App, Find, Reporter, create_private_folder},
    backup::Key,
    blocking::blocking,
    config::{Config, S3Config, StorageConfig},
    domain::{
        access::Actor,
        documents::{Document, Status},
        organizations,
    },
    error::Result,
    store::ReadTx,
};

/// Documents that are looked for by their titles.
const SAMPLE: usize = 20;

/// What a drill found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Drilled {
    /// The moment that came back.
    pub at: Timestamp,
    pub records: u64,
    pub files: u64,
    pub searches: u64,
    pub took_ms: u64,
    /// What was wrong; sentences.
    pub damages: Vec<String>,
}

impl App {
    /// Restores a backup into a scratch folder and looks at it: can every record, file and index
    /// entry be read, and are documents found?
    ///
    /// # Errors
    /// When it cannot be restored at all.
    pub async fn drill(&self, source: Source, key: Key, reporter: &Reporter) -> Result<Drilled> {
        let begin = std::time::Instant::now();
        let bytes = self.store.read(files_bytes).await?;
        self.require_room(&self.config.data, bytes).await?;
        let scratch = Scratch::make(&self.config.data)?;
        let wanted = Restore {
            source,
            key,
            replaces: false,
            keeps_sessions: true,
            at: None,
            snapshot: None,
        };
        // Files come back to this machine, wherever those of the portal are: one that is missing in the
        // backup must not be found there.
        let config = Config {
            data: scratch.0.clone(),
            storage: StorageConfig {
                s3: S3Config { bucket: String::new(), ..self.config.storage.s3.clone() },
                ..StorageConfig::default()
            },
            ..self.config.clone()
        };
        let (restored, _) =
            restore::restore_into(&scratch.0, &config, self.clock.clone(), &wanted, reporter)
                .await?;
        let clock = self.clock.clone();
        let opened = blocking(move || App::open(config, clock)).await?;
        let report = opened.check(true, reporter).await?;
        let mut damages = restored.damages;
        damages.extend(report.damages.into_iter().map(|damage| damage.what));
        let searches = opened.search_sample(&mut damages).await?;
        Ok(Drilled {
            at: restored.at,
            records: report.records,
            files: report.files,
            searches,
            took_ms: begin.elapsed().as_millis() as u64,
            damages,
        })
    }

    /// Looks for some documents by their titles.
    async fn search_sample(&self, damages: &mut Vec<String>) -> Result<u64> {
        let sample = self.store.read(sample).await?;
        let mut searches = 0;
        for (document, actor) in sample {
            searches += 1;
            let text = format!("\"{}\"", document.title.replace('"', " "));
            let find = Find { text, limit: 100, ..Find::default() };
            let page = self.find(actor, find).await?;
            if !page.documents.iter().any(|found| found.document.id == document.id)
                && page.total < 100
            {
                damages
                    .push(format!("The document “{}” is not found by its title.", document.title));
            }
        }
        Ok(searches)
    }
}

/// Documents from all over the library, each with somebody who sees it.
fn sample(tx: &ReadTx) -> Result<Vec<(Document, Actor)>> {
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

/// A folder that is gone afterwards.
struct Scratch(PathBuf);

const PREFIX: &str = "drill-";

impl Scratch {
    fn make(data: &std::path::Path) -> Result<Self> {
        // What an earlier drill left behind that was cut off.
        for entry in fs::read_dir(data).context("looking for old drills")? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                fs::remove_dir_all(entry.path()).context("removing an old drill")?;
            }
        }
        let folder = data.join(format!("{PREFIX}{}", Uuid::new_v4()));
        create_private_folder(&folder).context("making a folder for the drill")?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_dir_all(&self.0) {
            tracing::warn!("removing the folder of a drill: {fault}");
        }
    }
}
