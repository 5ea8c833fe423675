//! Jobs as an administrator sees them: with the names of what they work on.

use super::App;
use crate::{
    domain::{
        access::Actor,
        categories::Category,
        documents::{Document, Shared},
        jobs::{self, Job, Place, State, Task},
        users::User,
        versions,
    },
    error::Result,
    hash::ContentHash,
    id::Id,
    store::ReadTx,
};

/// A job, and what it is about.
#[derive(Clone, Debug)]
pub struct Work {
    pub job: Job,
    /// A file name, a person, a category; empty when it is gone.
    pub subject: String,
    /// The document that the file belongs to.
    pub document: Option<Id<Document>>,
}

/// Jobs started over at once; the rest with the next time.
const RETRIED_MAX: usize = 1_000;

impl App {
    /// A page of jobs, the latest first, and where to go on.
    pub async fn work(
        &self,
        actor: Actor,
        state: Option<State>,
        after: Option<Place>,
        limit: usize,
    ) -> Result<(Vec<Work>, Option<Place>)> {
        self.store
            .read(move |tx| {
                let (jobs, next) = jobs::page(tx, &actor, state, after, limit)?;
                let work = jobs.into_iter().map(|job| work(tx, job)).collect::<Result<_>>()?;
                Ok((work, next))
            })
            .await
    }

    /// Starts everything over that has failed. Returns how many jobs that were.
    pub async fn retry_failed(&self, actor: Actor) -> Result<u64> {
        self.write_as(actor, move |tx, actor| {
            let (failed, _) = jobs::page(tx, actor, Some(State::Failed), None, RETRIED_MAX)?;
            for job in &failed {
                jobs::retry(tx, actor, job.id)?;
            }
            Ok(failed.len() as u64)
        })
        .await
    }
}

fn work(tx: &ReadTx, job: Job) -> Result<Work> {
    let (subject, document) = match &job.task {
        Task::StoreBlob { blob } | Task::ExtractBlob { blob } => about_file(tx, *blob)?,
        Task::IndexDocuments { shared: Shared::Blob(blob) } => about_file(tx, *blob)?,
        Task::IndexDocuments { shared: Shared::Category(id) } => {
            let category = tx.get::<Category>(id)?;
            (category.map(|category| category.name).unwrap_or_default(), None)
        }
        // Whatever it was part of is gone.
        Task::RemoveBlob { .. } | Task::BackUp | Task::Drill => (String::new(), None),
        Task::VerifyBackups { archive } => (archive.clone().unwrap_or_default(), None),
        Task::HandOver { from, to } => {
            let name = |id| -> Result<String> {
                let user = tx.get::<User>(id)?;
                Ok(user.map_or("?".into(), |user| user.display_name().to_owned()))
            };
            (format!("{} → {}", name(from)?, name(to)?), None)
        }
        Task::MergeCategory { from, to, .. } => {
            let from = tx.get::<Category>(from)?.map(|category| category.name);
            let to = to.as_ref().map(|to| tx.get::<Category>(to)).transpose()?.flatten();
            let to = to.map_or("no category".into(), |category| category.name);
            (from.map(|from| format!("{from} → {to}")).unwrap_or_default(), None)
        }
    };
    Ok(Work { job, subject, document })
}

fn about_file(tx: &ReadTx, blob: ContentHash) -> Result<(String, Option<Id<Document>>)> {
    let version = versions::first_of_blob(tx, blob)?;
    Ok(version.map(|version| (version.filename, Some(version.document))).unwrap_or_default())
}
