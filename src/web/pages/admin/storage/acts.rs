//! What the buttons on the page of the storage do.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;

use crate::{
    app::App,
    config::Backend,
    domain::access::{Action, decide},
    error::{Error, Result as AppResult},
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{Go, HiddenField, Place, confirm::Question, format, sign_in::Empty},
    },
};

const PAGE: &str = "/admin/storage";

pub async fn check(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    let check = app.check_storage(&member.actor()).await?;
    let to = Go::to(PAGE);
    Ok(match (check.steps.is_empty(), check.failed()) {
        (true, _) => to.complaining("No S3 is configured, so there is nothing to check."),
        (false, 0) => to.saying("Everything that is needed of S3 works."),
        (false, failed) => {
            let steps = format::counted(failed as u64, "step of the check", "steps of the check");
            to.complaining(format!("{steps} failed. See below."))
        }
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClaimForm {
    confirmed: String,
}

pub async fn claim(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<ClaimForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    if form.confirmed != "1" {
        return Question {
            question: "Make this portal the owner of the files?".into(),
            detail:
                "It then removes from the bucket what it does not know. Make sure that no other \
                     portal uses the same bucket and prefix."
                    .into(),
            button: "Make it the owner".into(),
            action: "/admin/storage/claim".into(),
            fields: Vec::new(),
            back_href: PAGE.into(),
        }
        .ask(&request, &member.visitor, Place::Storage)
        .await;
    }
    let claimed = app.claim_storage(member.actor()).await;
    said(claimed, "This portal is the owner of the files now.").map(Go::response)
}

pub async fn scrub(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    let begun = app.begin_scrub(member.actor(), 100).await;
    said(begun, "All files are being read again.")
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MigrationForm {
    /// `s3` or `disk`.
    to: String,
    /// `1` when the old copies go afterwards.
    remove_old: String,
    confirmed: String,
}

pub async fn migrate(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<MigrationForm>,
) -> Result<HttpResponse> {
    let (to, from) = match form.to.as_str() {
        "s3" => (Backend::S3, "the disk"),
        "disk" => (Backend::Disk, "S3"),
        _ => return Err(Error::invalid("Files move to “s3” or to “disk”.").into()),
    };
    let removes_old = form.remove_old == "1";
    if removes_old && form.confirmed != "1" {
        return Question {
            question: format!("Remove the old copies from {from}?"),
            detail:
                "First everything that is missing in the new place is copied. Then each old copy \
                     goes, after a look at its new one."
                    .into(),
            button: "Remove the old copies".into(),
            action: "/admin/storage/migrate".into(),
            fields: vec![
                HiddenField::new("to", form.to),
                HiddenField::new("remove_old", form.remove_old),
            ],
            back_href: PAGE.into(),
        }
        .ask(&request, &member.visitor, Place::Storage)
        .await;
    }
    let begun = app.begin_migration(member.actor(), to, removes_old).await;
    said(begun, "The files are being moved.").map(Go::response)
}

/// What cannot be done now is said on the page, since that is where one sees why.
fn said<T>(begun: AppResult<T>, success: &str) -> Result<Go> {
    match begun {
        Ok(_) => Ok(Go::to(PAGE).saying(success)),
        Err(Error::Conflict(message) | Error::Invalid { message, .. }) => {
            Ok(Go::to(PAGE).complaining(message))
        }
        Err(fault) => Err(fault.into()),
    }
}
