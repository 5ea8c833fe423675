//! The handlers of a document's page: what the store knows, as the page shows it.

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};
use jiff::Timestamp;

use super::{
    ActivityRow, Allowed, DocumentDetails, DocumentPage, PreviewFragment, TextState, Trashed,
    VersionRow, preview::preview_of,
};
use crate::{
    app::{App, Reading},
    domain::{
        access::{Action, decide},
        blobs::Extraction,
        documents::{Document, Kind, Status, TRASH_KEPT},
        events::{Event, Verb},
        users::User,
        versions::Version,
    },
    id::Id,
    web::{
        auth::Visitor,
        fault::Result,
        pages::{
            ChoiceLink, FormErrors, Html, Moment, Place,
            documents::{card, library::Address},
            page,
        },
    },
};

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<Html<DocumentPage>> {
    Ok(Html(document_page(&app, &request, &visitor, *id, FormErrors::none()).await?))
}

/// The page, also for a form on it that is shown again.
pub async fn document_page(
    app: &App,
    request: &HttpRequest,
    visitor: &Visitor,
    id: Id<Document>,
    errors: FormErrors,
) -> Result<DocumentPage> {
    let reading = app.reading(visitor.actor(), id).await?;
    let now = app.clock.now();
    let page = page(request, visitor, Place::Library).await?;
    let preview = preview_of(app, visitor.actor(), &reading).await;
    let organization = reading.found.document.organization;
    let is_insider = decide(&visitor.actor, Action::ReadHistory(&reading.found.document)).is_ok();
    let may_audit = decide(&visitor.actor, Action::Govern(organization)).is_ok();
    let current = reading.found.document.current.as_ref().map(|file| file.version);
    let versions = reading.versions.iter();
    Ok(DocumentPage {
        errors,
        versions: versions
            .map(|(version, by)| version_row(version, by, current == Some(version.id), now))
            .collect(),
        activity: reading.activity.iter().map(|event| activity_row(event, now)).collect(),
        more_activity_href: may_audit.then(|| format!("/admin/audit?document={id}")),
        allowed: allowed(&reading),
        is_insider,
        preview,
        document: details(reading, visitor.user.as_ref(), now),
        page,
    })
}

/// The preview alone, which the page asks for until it is there.
pub async fn preview(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<Html<PreviewFragment>> {
    let reading = app.reading(visitor.actor(), *id).await?;
    let preview = preview_of(&app, visitor.actor(), &reading).await;
    Ok(Html(PreviewFragment {
        preview,
        document: details(reading, visitor.user.as_ref(), app.clock.now()),
    }))
}

fn details(reading: Reading, reader: Option<&User>, now: Timestamp) -> DocumentDetails {
    let Reading { found, seen_by, trashed_by, .. } = reading;
    let document = found.document;
    let link = |label: &str, address: Address| ChoiceLink {
        label: label.to_owned(),
        href: address.href(),
        ..ChoiceLink::default()
    };
    let category = found
        .category
        .zip(document.category)
        .map(|(name, id)| link(&name, Address { category: id.to_string(), ..Address::default() }));
    let tags = document.tags.iter();
    let tags = tags.map(|tag| link(tag, Address { tag: vec![tag.clone()], ..Address::default() }));
    let file = document.current.as_ref();
    let extraction = found.blob.as_ref().map(|blob| &blob.extraction);
    DocumentDetails {
        category,
        tags: tags.collect(),
        kind: (document.kind != Kind::File).then(|| document.kind.label().into()),
        face: card::face(&document),
        filename: file.map(|file| file.filename.clone()).unwrap_or_default(),
        media_type: file.map(|file| file.media_type.clone()).unwrap_or_default(),
        size_bytes: file.map_or(0, |file| file.size_bytes),
        pages: match extraction {
            Some(Extraction::Done(facts)) => facts.page_count.map(u64::from),
            _ => None,
        },
        owner: found.creator,
        created: Moment::new(document.created_at, now),
        updated: Moment::new(document.updated_at, now),
        is_new: document.is_new_to(reader, now),
        status: document.status.into(),
        visibility: (&document.visibility).into(),
        seen_by,
        trashed: document.trashed.map(|trashed| Trashed {
            by: trashed_by.unwrap_or_else(|| "The portal".into()),
            at: Moment::new(trashed.at, now),
            gone: Moment::new(trashed.at + TRASH_KEPT, now),
        }),
        text: extraction.map_or(TextState::Ready, text_state),
        id: document.id.to_string(),
        title: document.title,
        description: document.description,
        link_url: document.link,
    }
}

const TOO_MUCH_TEXT: &str = "It holds more text than is read.";

fn text_state(extraction: &Extraction) -> TextState {
    match extraction {
        Extraction::Pending => TextState::Pending,
        Extraction::Failed { reason } => TextState::Failed(reason.clone()),
        Extraction::Done(facts) => match &facts.incomplete {
            Some(reason) if facts.has_text => TextState::Partial(reason.clone()),
            Some(reason) => TextState::Failed(reason.clone()),
            None if facts.is_text_truncated => TextState::Partial(TOO_MUCH_TEXT.into()),
            None => TextState::Ready,
        },
    }
}

fn version_row(version: &Version, by: &str, is_current: bool, now: Timestamp) -> VersionRow {
    VersionRow {
        id: version.id.to_string(),
        number: version.number,
        filename: version.filename.clone(),
        size_bytes: version.size_bytes,
        by: by.to_owned(),
        at: Moment::new(version.created_at, now),
        is_current,
    }
}

fn activity_row(event: &Event, now: Timestamp) -> ActivityRow {
    let (what, icon) = told(event);
    ActivityRow { who: event.actor_name.clone(), what, at: Moment::new(event.at, now), icon }
}

/// What happened, behind the name of who did it, and a picture for it.
fn told(event: &Event) -> (String, &'static str) {
    let detail = event.detail.as_deref().unwrap_or_default();
    let (what, icon) = match event.verb {
        Verb::DocumentAdded => ("added it", "plus"),
        Verb::DocumentChanged => ("changed the details", "edit"),
        Verb::DocumentDownloaded => return (format!("downloaded {detail}"), "download"),
        Verb::VersionAdded => return (format!("uploaded {detail}"), "upload"),
        Verb::VersionMadeCurrent => return (format!("went back to {detail}"), "restore"),
        Verb::VisibilityChanged => match detail {
            "public" => ("made it public", "globe"),
            "restricted" => ("restricted who sees it", "lock"),
            _ => ("showed it to everyone here", "building"),
        },
        Verb::DocumentPublished => ("published it", "check"),
        Verb::DocumentWithdrawn => ("made a draft of it", "edit"),
        Verb::DocumentArchived => ("archived it", "archive"),
        Verb::DocumentUnarchived => ("took it out of the archive", "restore"),
        Verb::DocumentTrashed => ("moved it to the trash", "trash"),
        Verb::DocumentRestored => ("restored it", "restore"),
        other => (other.phrase(), "activity"),
    };
    (what.to_owned(), icon)
}

fn allowed(reading: &Reading) -> Allowed {
    let document = &reading.found.document;
    let is_trashed = document.trashed.is_some();
    // In the trash there is only the way back, and the way out.
    let may_change = reading.may_edit && !is_trashed;
    let has_file = document.current.is_some();
    Allowed {
        download: has_file,
        edit: may_change,
        change_visibility: may_change,
        publish: may_change && document.status == Status::Draft,
        withdraw: may_change && document.status == Status::Published,
        archive: may_change && document.status == Status::Published,
        unarchive: may_change && document.status == Status::Archived,
        upload_version: may_change && has_file,
        trash: may_change,
        restore: reading.may_edit && is_trashed,
        delete: reading.may_edit && is_trashed,
    }
}
