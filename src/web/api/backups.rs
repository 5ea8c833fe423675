//! Backups, for those who operate the portal: what a program needs that looks after them. The plan is
//! set on its page or by `appliance backup plan`.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    app::{App, ListedBackup},
    domain::{
        access::{Action, decide},
        backups,
        jobs::Task,
    },
    error::Error,
    web::{auth::Member, body::NoBody, fault::Result, pages::admin::backups::deliver},
};

#[derive(Serialize, JsonSchema)]
pub struct BackupList {
    /// Whether backups are made by themselves.
    is_on: bool,
    /// A folder of the server or `s3://bucket/prefix`.
    place: String,
    is_encrypted: bool,
    last_success: Option<Timestamp>,
    next_run: Option<Timestamp>,
    /// When restoring was last rehearsed with success.
    last_drill: Option<Timestamp>,
    /// What is wrong now; sentences.
    faults: Vec<String>,
    /// Those in the place of the plan, the oldest first.
    backups: Vec<BackupView>,
    /// Archives in the data folder; these can be downloaded.
    archives: Vec<BackupView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Backup")]
pub struct BackupView {
    id: String,
    created_at: Timestamp,
    /// `null` when they are not known without the key.
    records: Option<u64>,
    files: Option<u64>,
    /// Of an archive as it is; of a snapshot the size of its files.
    size_bytes: Option<u64>,
    /// Whether this portal has signed it; `null` of archives, which are not read to be listed, and
    /// without the key.
    is_own: Option<bool>,
}

impl From<ListedBackup> for BackupView {
    fn from(listed: ListedBackup) -> Self {
        BackupView {
            id: listed.id,
            created_at: listed.created_at,
            records: listed.records,
            files: listed.files,
            size_bytes: listed.size_bytes,
            is_own: listed.is_own,
        }
    }
}

pub async fn list(app: Data<App>, member: Member) -> Result<Answer<BackupList>> {
    decide(&member.actor(), Action::Operate)?;
    let view = app.backup_plan().await?;
    let backups = match app.planned_backups().await {
        // A repository begins with the first backup.
        Err(Error::NotFound(_)) => Vec::new(),
        listed => listed?,
    };
    Ok(Answer(BackupList {
        is_on: view.standing.is_on,
        place: view.place,
        is_encrypted: view.standing.is_encrypted,
        last_success: view.standing.last_success,
        next_run: view.standing.next_run,
        last_drill: view.standing.last_drill,
        faults: view.standing.faults,
        backups: backups.into_iter().map(BackupView::from).collect(),
        archives: app.archives()?.into_iter().map(BackupView::from).collect(),
    }))
}

pub async fn make(app: Data<App>, member: Member, _: NoBody) -> Result<HttpResponse> {
    app.write_as(member.actor(), |tx, actor| backups::order(tx, actor, Task::BackUp)).await?;
    Ok(HttpResponse::Accepted().finish())
}

pub async fn download(app: Data<App>, member: Member, id: Path<String>) -> Result<HttpResponse> {
    deliver(&app, &member, id.into_inner()).await
}

pub async fn delete(
    app: Data<App>,
    member: Member,
    id: Path<String>,
    _: NoBody,
) -> Result<HttpResponse> {
    app.delete_backup(member.actor(), id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
