//! What one does with backups by hand.

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::header,
    web::{Data, Path},
};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        backups,
        jobs::Task,
    },
    web::{
        auth::Member,
        body::Form,
        content::content_disposition,
        fault::Result,
        pages::{
            Go, Place,
            confirm::{Confirmation, Question},
            sign_in::Empty,
        },
    },
};

const PIECE_BYTES: usize = 256 << 10;

pub async fn make(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    order(&app, &member, Task::BackUp).await?;
    Ok(Go::to("/admin/backups").saying("A backup is being made."))
}

pub async fn drill(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    order(&app, &member, Task::Drill).await?;
    Ok(Go::to("/admin/backups")
        .saying("The newest backup is being restored into a scratch folder."))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct VerifyForm {
    /// One archive; all backups of the plan when it is empty.
    archive: String,
}

pub async fn verify(app: Data<App>, member: Member, Form(form): Form<VerifyForm>) -> Result<Go> {
    let archive = Some(form.archive).filter(|name| !name.is_empty());
    order(&app, &member, Task::VerifyBackups { archive }).await?;
    Ok(Go::to("/admin/backups").saying("The backups are being read again."))
}

async fn order(app: &App, member: &Member, task: Task) -> crate::error::Result<()> {
    app.write_as(member.actor(), move |tx, actor| backups::order(tx, actor, task)).await
}

/// An archive holds everything, so it is not given away with one press.
pub async fn ask_for_download(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<String>,
) -> Result<HttpResponse> {
    app.look_at_archive(&member.actor(), &id)?;
    let detail = match id.ends_with(".age") {
        true => "It is encrypted: it opens with its passphrase or key, and with nothing else.",
        false => {
            "It is not encrypted. Whoever has it can read every file and every record in it, also \
             those that they may not see here. Keep it where nobody else can read it."
        }
    };
    Question {
        question: format!("Download {id}?"),
        detail: detail.into(),
        button: "Download".into(),
        action: format!("/admin/backups/{id}/download"),
        back_href: "/admin/backups".into(),
        ..Question::default()
    }
    .ask(&request, &member.visitor, Place::Backups)
    .await
}

pub async fn download(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<String>,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    if !asked.is_confirmed() {
        return ask_for_download(app, request, member, id).await;
    }
    deliver(&app, &member, id.into_inner()).await
}

/// Answers with an archive.
pub async fn deliver(app: &App, member: &Member, name: String) -> Result<HttpResponse> {
    let disposition = content_disposition("attachment", &name);
    let (file, size_bytes) = app.take_archive(member.actor(), name).await?;
    let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE_BYTES);
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .body(SizedStream::new(size_bytes, pieces)))
}

/// Asks first where no script has asked.
pub async fn delete(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<String>,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    if !asked.is_confirmed() {
        return Question {
            question: format!("Delete the backup {id}?"),
            detail: "It cannot be restored any more. This cannot be undone.".into(),
            button: "Delete the backup".into(),
            action: format!("/admin/backups/{id}/delete"),
            back_href: "/admin/backups".into(),
            ..Question::default()
        }
        .ask(&request, &member.visitor, Place::Backups)
        .await;
    }
    app.delete_backup(member.actor(), id.into_inner()).await?;
    Ok(Go::to("/admin/backups").saying("The backup is deleted.").response())
}
