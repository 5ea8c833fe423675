//! Categories with how much is in each. One in use is renamed or merged, never lost.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use askama::Template;
use serde::Deserialize;

use super::Sidebar;
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        categories::{self, Category},
    },
    error::{Error, Result as DomainResult},
    id::Id,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{
            FormErrors, Go, HiddenField, Html, Page, Place,
            confirm::{Confirmation, Question},
            documents::library::Address,
            filters, page,
            sign_in::Empty,
        },
    },
};

/// `GET` and `POST /admin/categories` (`name`: a new one). Acts post to
/// `/admin/categories/{id}/rename` (`name`), `/merge` (`into`: an id) and `/delete`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/categories.html")]
pub struct CategoriesPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    /// What was typed for the new one.
    pub name: String,
    pub categories: Vec<CategoryRow>,
}

#[derive(Clone, Debug)]
pub struct CategoryRow {
    pub id: String,
    pub name: String,
    pub documents: u64,
    /// The library with this filter.
    pub href: String,
}

#[derive(Deserialize)]
pub struct NameForm {
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct MergeForm {
    into: String,
    #[serde(flatten)]
    asked: Confirmation,
}

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    shown(&app, &request, &member, String::new(), Ok(())).await
}

pub async fn create(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<NameForm>,
) -> Result<HttpResponse> {
    let (actor, organization, name) = (member.actor(), member.organization, form.name.clone());
    let made = app
        .write_as(actor, move |tx, actor| categories::create(tx, actor, organization, &name, ""))
        .await;
    match made {
        Ok(category) => Ok(said(format!("The category “{}” was added.", category.name))),
        Err(error) => shown(&app, &request, &member, form.name, Err(error)).await,
    }
}

pub async fn rename(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Category>>,
    Form(form): Form<NameForm>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    let renamed = app.write_as(actor, move |tx, actor| {
        decide(actor, Action::Curate(organization))?;
        let description = categories::get(tx, organization, id)?.description;
        categories::edit(tx, actor, organization, id, &form.name, &description)
    });
    match renamed.await {
        Ok(category) => Ok(said(format!("The category is called “{}” now.", category.name))),
        Err(error) => shown(&app, &request, &member, String::new(), Err(general(error))).await,
    }
}

/// Moves the documents by a job; asks first where no script has asked.
pub async fn merge(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Category>>,
    Form(form): Form<MergeForm>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    let (from, into) = match ends(&app, &member, id, &form.into).await {
        Ok(ends) => ends,
        Err(error) => return shown(&app, &request, &member, String::new(), Err(error)).await,
    };
    if !form.asked.is_confirmed() {
        return Question {
            question: format!("Merge “{}” into “{}”?", from.name, into.name),
            detail: "All its documents move into the other category, and this one goes away."
                .into(),
            button: "Merge".into(),
            action: format!("/admin/categories/{id}/merge"),
            fields: vec![HiddenField::new("into", form.into)],
            back_href: "/admin/categories".into(),
        }
        .ask(&request, &member.visitor, Place::Categories)
        .await;
    }
    let merged = app
        .write_as(actor, move |tx, actor| {
            categories::merge(tx, actor, organization, id, Some(into.id))
        })
        .await;
    match merged {
        Ok(()) => Ok(said(format!("The documents of “{}” move to “{}”.", from.name, into.name))),
        Err(error) => shown(&app, &request, &member, String::new(), Err(general(error))).await,
    }
}

async fn ends(
    app: &App,
    member: &Member,
    from: Id<Category>,
    into: &str,
) -> DomainResult<(Category, Category)> {
    let into = into.parse().map_err(|_| Error::invalid("Choose a category to merge it into."))?;
    let (actor, organization) = (member.actor(), member.organization);
    app.store
        .read(move |tx| {
            decide(&actor, Action::Curate(organization))?;
            Ok((categories::get(tx, organization, from)?, categories::get(tx, organization, into)?))
        })
        .await
}

pub async fn delete(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Category>>,
    _form: Form<Empty>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, *id);
    let deleted =
        app.write_as(actor, move |tx, actor| categories::delete(tx, actor, organization, id)).await;
    match deleted {
        Ok(()) => Ok(said("The category is deleted.".into())),
        Err(error) => shown(&app, &request, &member, String::new(), Err(error)).await,
    }
}

fn said(text: String) -> HttpResponse {
    Go::to("/admin/categories").saying(text).response()
}

/// The page has a field of this name for a new category: what is wrong with another form stands
/// above all of them.
fn general(error: Error) -> Error {
    match error {
        Error::Invalid { .. } => Error::invalid(error.to_string()),
        Error::Taken { .. } => Error::conflict(error.to_string()),
        other => other,
    }
}

/// The page, after an act that went wrong with the status for it.
async fn shown(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    name: String,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    let (errors, status) = FormErrors::after(outcome)?;
    let (actor, organization) = (member.actor(), member.organization);
    let all = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Curate(organization))?;
            categories::list(tx, organization)
        })
        .await?;
    let ids = all.iter().map(|category| category.id).collect();
    let counts = app.category_counts(member.actor(), ids).await?;
    let row = |category: Category| {
        let id = category.id.to_string();
        let documents = counts.get(&category.id).copied().unwrap_or(0);
        let href = Address { category: id.clone(), ..Address::default() }.href();
        CategoryRow { id, name: category.name, documents, href }
    };
    Html(CategoriesPage {
        page: page(request, &member.visitor, Place::Categories).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        name,
        categories: all.into_iter().map(row).collect(),
    })
    .with_status(status)
}
