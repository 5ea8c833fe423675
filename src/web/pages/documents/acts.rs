//! The buttons of a document's page: each is a form of its own that leads back with a sentence of
//! what happened and, where there is one, the way to undo it.

use actix_web::web::{Data, Path};

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
        pages::{Go, sign_in::Empty},
    },
};

type Verb = fn(&mut WriteTx, &Actor, Id<Document>) -> DomainResult<Document>;

/// Does it, and answers when lists and counts know it.
async fn act(app: &App, member: &Member, id: Id<Document>, verb: Verb) -> Result<Document> {
    let actor = member.actor();
    let document = app.store.write(move |tx| verb(tx, &actor, id)).await?;
    app.wait_for_index().await;
    Ok(document)
}

fn to_page(document: &Document) -> Go {
    Go::to(format!("/documents/{}", document.id))
}

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
        .with_undo(format!("/documents/{id}/publish")))
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
        .with_undo(format!("/documents/{id}/unarchive")))
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
        .with_undo(format!("/documents/{id}/restore")))
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

/// Deletes one that is in the trash, for good.
pub async fn delete(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let (actor, id) = (member.actor(), *id);
    let title = app
        .store
        .write(move |tx| {
            let title = documents::editable(tx, &actor, id)?.title;
            documents::delete(tx, &actor, id).map(|()| title)
        })
        .await?;
    app.wait_for_index().await;
    Ok(Go::to("/trash").saying(format!("“{title}” is deleted for good.")))
}

/// Goes back to an older version.
pub async fn make_current(
    app: Data<App>,
    member: Member,
    path: Path<(Id<Document>, Id<Version>)>,
    _form: Form<Empty>,
) -> Result<Go> {
    let (actor, (id, version)) = (member.actor(), path.into_inner());
    let document =
        app.store.write(move |tx| versions::make_current(tx, &actor, id, version)).await?;
    app.wait_for_index().await;
    let number = document.current.as_ref().map_or(0, |file| file.number);
    Ok(to_page(&document).saying(format!("Version {number} is current now.")))
}
