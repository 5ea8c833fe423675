//! The buttons of a document's page: each is a form of its own that leads back with a sentence of
//! what happened and, where there is one, the way to undo it.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

use crate::{
    app::App,
    domain::{
        access::Actor,
        documents::{self, Document},
        versions::{self, Version},
    },
    error::Result as DomainResult,
    id::Id,
    store::WriteTx,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{
            Go, Place,
            confirm::{Confirmation, Question},
            sign_in::Empty,
        },
    },
};

pub async fn publish(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let document = act(&app, &member, *id, documents::publish).await?;
    Ok(to_page(&document).saying(format!("“{}” is published.", document.title)))
}

pub async fn withdraw(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let document = act(&app, &member, *id, documents::withdraw).await?;
    Ok(to_page(&document)
        .saying(format!("“{}” is a draft again.", document.title))
        .with_undo(format!("/documents/{}/publish", document.id)))
}

pub async fn archive(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let document = act(&app, &member, *id, documents::archive).await?;
    Ok(to_page(&document)
        .saying(format!("“{}” is in the archive.", document.title))
        .with_undo(format!("/documents/{}/unarchive", document.id)))
}

pub async fn unarchive(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let document = act(&app, &member, *id, documents::publish).await?;
    Ok(to_page(&document).saying(format!("“{}” is back in the library.", document.title)))
}

pub async fn trash(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let document = act(&app, &member, *id, documents::trash).await?;
    Ok(Go::to("/documents")
        .saying(format!("“{}” is in the trash.", document.title))
        .with_undo(format!("/documents/{}/restore", document.id)))
}

pub async fn restore(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let document = act(&app, &member, *id, documents::restore).await?;
    Ok(to_page(&document).saying(format!("“{}” is restored.", document.title)))
}

/// Deletes one that is in the trash, for good; asks first where no script has asked.
pub async fn delete(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Document>>,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    let (actor, id) = (member.actor(), *id);
    let document = app.store.read(move |tx| documents::readable(tx, &actor, id)).await?;
    let title = document.title;
    if !asked.is_confirmed() {
        return Question {
            question: format!("Delete “{title}” for good?"),
            detail: "The document and all its versions are removed. This cannot be undone.".into(),
            button: "Delete for good".into(),
            action: format!("/documents/{id}/delete"),
            back_href: "/trash".into(),
            ..Question::default()
        }
        .ask(&request, &member.visitor, Place::Trash)
        .await;
    }
    let actor = member.actor();
    app.write_as(actor, move |tx, actor| documents::delete(tx, actor, id)).await?;
    Ok(Go::to("/trash").saying(format!("“{title}” is deleted for good.")).response())
}

/// Goes back to an older version.
pub async fn make_current(
    app: Data<App>,
    member: Member,
    path: Path<(Id<Document>, Id<Version>)>,
    _form: Form<Empty>,
) -> Result<Go> {
    let (actor, (id, version)) = (member.actor(), path.into_inner());
    let document = app
        .write_as(actor, move |tx, actor| versions::make_current(tx, actor, id, version))
        .await?;
    let number = document.current.as_ref().map_or(0, |file| file.number);
    Ok(to_page(&document).saying(format!("Version {number} is current now.")))
}

/// What such a button does, once the member may do it.
type Act = fn(&mut WriteTx, &Actor, Id<Document>) -> DomainResult<Document>;

async fn act(app: &App, member: &Member, id: Id<Document>, act: Act) -> DomainResult<Document> {
    app.write_as(member.actor(), move |tx, actor| act(tx, actor, id)).await
}

fn to_page(document: &Document) -> Go {
    Go::to(format!("/documents/{}", document.id))
}
