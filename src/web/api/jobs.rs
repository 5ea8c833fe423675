//! Work in the background, for those who operate the portal.

use actix_web::web::{Data, Json as Answer, Path};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts;
use crate::{
    app::App,
    domain::jobs::{self, Job, Progress, State, Task},
    id::Id,
    store::cursor,
    web::{
        auth::Member,
        body::{NoBody, Query},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub struct JobView {
    id: Id<Job>,
    task: TaskName,
    /// What it does, in words.
    title: &'static str,
    state: State,
    /// How often it was started.
    attempts: u32,
    /// Not to be started before.
    run_at: Timestamp,
    /// What went wrong last.
    error: Option<String>,
    progress: Option<Progress>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    StoreBlob,
    ExtractBlob,
    RemoveBlob,
    HandOver,
    MergeCategory,
    IndexDocuments,
    BackUp,
    Drill,
    Scrub,
    Migrate,
    VerifyBackups,
}

impl JobView {
    pub fn of(job: Job) -> Self {
        JobView {
            id: job.id,
            title: job.task.title(),
            task: match job.task {
                Task::StoreBlob { .. } => TaskName::StoreBlob,
                Task::ExtractBlob { .. } => TaskName::ExtractBlob,
                Task::RemoveBlob { .. } => TaskName::RemoveBlob,
                Task::HandOver { .. } => TaskName::HandOver,
                Task::MergeCategory { .. } => TaskName::MergeCategory,
                Task::IndexDocuments { .. } => TaskName::IndexDocuments,
                Task::BackUp => TaskName::BackUp,
                Task::Drill => TaskName::Drill,
                Task::Scrub => TaskName::Scrub,
                Task::Migrate => TaskName::Migrate,
                Task::VerifyBackups { .. } => TaskName::VerifyBackups,
            },
            state: job.state,
            attempts: job.attempts,
            run_at: job.run_at,
            error: job.error,
            progress: job.progress,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub struct JobsWanted {
    /// All, when it is left out.
    #[serde(default)]
    state: Option<State>,
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct JobList {
    /// The latest first.
    jobs: Vec<JobView>,
    /// What to send as `after` for the next page; `null` on the last one.
    next: Option<String>,
}

pub async fn list(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<JobsWanted>,
) -> Result<Answer<JobList>> {
    let actor = member.actor();
    let limit = parts::limit(wanted.limit)?;
    let after = parts::place(wanted.after.as_deref())?;
    let (page, next) =
        app.store.read(move |tx| jobs::page(tx, &actor, wanted.state, after, limit)).await?;
    let jobs = page.into_iter().map(JobView::of).collect();
    Ok(Answer(JobList { jobs, next: next.map(|place| cursor::encode(&place)) }))
}

pub async fn show(app: Data<App>, member: Member, id: Path<Id<Job>>) -> Result<Answer<JobView>> {
    let (actor, id) = (member.actor(), id.into_inner());
    let job = app.store.read(move |tx| jobs::get(tx, &actor, id)).await?;
    Ok(Answer(JobView::of(job)))
}

pub async fn retry(
    app: Data<App>,
    member: Member,
    id: Path<Id<Job>>,
    _: NoBody,
) -> Result<Answer<JobView>> {
    let (actor, id) = (member.actor(), id.into_inner());
    let job = app.write_as(actor, move |tx, actor| jobs::retry(tx, actor, id)).await?;
    Ok(Answer(JobView::of(job)))
}

pub async fn cancel(
    app: Data<App>,
    member: Member,
    id: Path<Id<Job>>,
    _: NoBody,
) -> Result<Answer<JobView>> {
    let (actor, id) = (member.actor(), id.into_inner());
    let job = app.write_as(actor, move |tx, actor| jobs::cancel(tx, actor, id)).await?;
    Ok(Answer(JobView::of(job)))
}
