//! What each job does: one file per task. Every task may run twice, since the program can end
//! between its last step and the note that it is done. To run one by hand, use "Retry" on the
//! jobs page.

mod back_up;
mod drill;
mod extract_blob;
mod hand_over;
mod index_documents;
mod merge_category;
mod remove_blob;
mod store_blob;
mod verify_backups;

pub(super) use self::remove_blob::GRACE;
use super::App;
use crate::{
    domain::jobs::{Job, Task},
    error::Result,
};

/// Runs one job to its end.
///
/// # Errors
/// Whatever stopped it: the worker tries again later.
pub(super) async fn run(app: &App, job: &Job) -> Result<()> {
    match job.task.clone() {
        Task::StoreBlob { blob } => store_blob::run(app, blob).await,
        Task::ExtractBlob { blob } => extract_blob::run(app, blob).await,
        Task::BackUp => back_up::run(app, job.id).await,
        Task::Drill => drill::run(app, job.id).await,
        Task::VerifyBackups { archive } => verify_backups::run(app, job.id, archive).await,
        Task::RemoveBlob { blob } => remove_blob::run(app, blob).await,
        Task::HandOver { from, to } => hand_over::run(app, job.id, from, to).await,
        Task::MergeCategory { from, to, .. } => merge_category::run(app, job.id, from, to).await,
        Task::IndexDocuments { shared } => index_documents::run(app, shared).await,
    }
}
