//! Categories: the shelves of the library.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{created, done, present};
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        categories::{self, Category},
    },
    id::Id,
    web::{
        auth::Member,
        body::{Json, NoBody},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Category")]
pub struct CategoryView {
    id: Id<Category>,
    name: String,
    description: String,
    /// Documents in it that you may read, archived ones included. Only in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    document_count: Option<u64>,
    created_at: Timestamp,
}

impl CategoryView {
    fn of(category: Category) -> Self {
        CategoryView {
            id: category.id,
            name: category.name,
            description: category.description,
            document_count: None,
            created_at: category.created_at,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub struct CategoryList {
    /// By name.
    categories: Vec<CategoryView>,
}

/// For everybody who may add documents: they choose from these. Readers find the categories of what
/// they see among the facets of the document list.
pub async fn list(app: Data<App>, member: Member) -> Result<Answer<CategoryList>> {
    let (actor, organization) = (member.actor(), member.organization);
    let asking = actor.clone();
    let all = app
        .store
        .read(move |tx| {
            decide(&asking, Action::Upload(organization))?;
            categories::list(tx, organization)
        })
        .await?;
    let ids: Vec<_> = all.iter().map(|category| category.id).collect();
    let counts = app.category_counts(actor, ids).await?;
    let categories = all
        .into_iter()
        .map(|category| CategoryView {
            document_count: Some(counts.get(&category.id).copied().unwrap_or(0)),
            ..CategoryView::of(category)
        })
        .collect();
    Ok(Answer(CategoryList { categories }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCategory {
    name: String,
    #[serde(default)]
    description: String,
}

pub async fn create(
    app: Data<App>,
    member: Member,
    Json(new): Json<NewCategory>,
) -> Result<HttpResponse> {
    let (actor, organization) = (member.actor(), member.organization);
    let category = app
        .write_as(actor, move |tx, actor| {
            categories::create(tx, actor, organization, &new.name, &new.description)
        })
        .await?;
    Ok(created(format!("/api/admin/categories/{}", category.id), &CategoryView::of(category)))
}

/// What to change; a field that is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryChange {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    description: Option<String>,
}

pub async fn edit(
    app: Data<App>,
    member: Member,
    id: Path<Id<Category>>,
    Json(change): Json<CategoryChange>,
) -> Result<Answer<CategoryView>> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    let category = app
        .write_as(actor, move |tx, actor| {
            decide(actor, Action::Curate(organization))?;
            let category = categories::get(tx, organization, id)?;
            let name = change.name.unwrap_or(category.name);
            let description = change.description.unwrap_or(category.description);
            categories::edit(tx, actor, organization, id, &name, &description)
        })
        .await?;
    Ok(Answer(CategoryView::of(category)))
}

pub async fn delete(
    app: Data<App>,
    member: Member,
    id: Path<Id<Category>>,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    app.write_as(actor, move |tx, actor| categories::delete(tx, actor, organization, id)).await?;
    Ok(done())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeForm {
    /// The category that the documents move to; `null`: they stand in none. To be said either way.
    #[serde(deserialize_with = "Option::deserialize")]
    into: Option<Id<Category>>,
}

/// Moves all documents by a job, which removes the category when it is empty.
pub async fn merge(
    app: Data<App>,
    member: Member,
    id: Path<Id<Category>>,
    Json(form): Json<MergeForm>,
) -> Result<HttpResponse> {
    let (actor, organization, id) = (member.actor(), member.organization, id.into_inner());
    app.write_as(actor, move |tx, actor| categories::merge(tx, actor, organization, id, form.into))
        .await?;
    Ok(HttpResponse::Accepted().finish())
}
