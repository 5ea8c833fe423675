//! The API as people read it: a page made from the OpenAPI document that programs read, so that the
//! two cannot disagree. Loads nothing from elsewhere.

mod example;
mod openapi;
#[cfg(test)]
mod tests;

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{Html, Page, Place, filters, page};
use crate::{
    app::App,
    web::{api, auth::Visitor, client, fault::Result, routes},
};

/// `GET /api/docs`, for everybody: knowing the addresses opens none of them.
#[derive(Clone, Debug, Template)]
#[template(path = "api/reference.html")]
pub struct ApiReferencePage {
    pub page: Page,
    pub reference: Reference,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
) -> Result<Html<ApiReferencePage>> {
    let page = page(&request, &visitor, Place::ApiReference).await?;
    let origin = client::origin(&request, &app.config);
    let document = api::openapi::document(&routes::endpoints());
    let reference = Reference::from_openapi(&document, &origin, api::openapi::ADDRESS);
    Ok(Html(ApiReferencePage { page, reference }))
}

/// An OpenAPI document, in the order of reading. Made by [`Reference::from_openapi`].
#[derive(Clone, Debug, Default)]
pub struct Reference {
    pub title: String,
    pub version: String,
    /// Paragraphs are separated by empty lines.
    pub description: String,
    /// Where this portal is reached, for the examples: `https://docs.halden.example`.
    pub origin: String,
    /// The address of the OpenAPI document itself.
    pub document_href: String,
    pub groups: Vec<Group>,
    pub schemas: Vec<Schema>,
}

/// The operations with one tag.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The anchor.
    pub id: String,
    pub name: String,
    pub description: String,
    pub operations: Vec<Operation>,
}

/// One method of one address.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// The anchor.
    pub id: String,
    /// `GET`.
    pub method: String,
    pub path: String,
    pub summary: String,
    pub description: String,
    pub needs_sign_in: bool,
    pub is_deprecated: bool,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    pub responses: Vec<Response>,
    /// A call that can be pasted into a shell.
    pub curl: String,
}

impl Operation {
    /// The end of the class name: `method--get`.
    pub fn method_key(&self) -> String {
        self.method.to_lowercase()
    }
}

/// A part of the address, the query or the headers.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    pub name: String,
    /// `path`, `query`, `header`.
    pub place: String,
    pub kind: Kind,
    pub is_required: bool,
    pub description: String,
}

/// What a request carries.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// `application/json`.
    pub media_type: String,
    pub fields: Vec<Field>,
    /// Where the schema is described, when it has a name.
    pub kind: Kind,
    /// JSON; empty where an example says nothing, such as for a file.
    pub example: String,
}

#[derive(Clone, Debug, Default)]
pub struct Response {
    /// `201`, `4XX`, `default`.
    pub status: String,
    pub description: String,
    pub kind: Kind,
    pub example: String,
}

/// A named shape of data.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The anchor.
    pub id: String,
    pub name: String,
    pub description: String,
    pub fields: Vec<Field>,
    /// For shapes without fields: what it is.
    pub kind: Kind,
}

#[derive(Clone, Debug, Default)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub is_required: bool,
    pub description: String,
}

/// A type, as people say it: `text`, `list of Document`, `number or null`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kind {
    /// Empty where nothing is known.
    pub text: String,
    /// The anchor of the schema it names.
    pub href: Option<String>,
    /// What is allowed, where there are only a few.
    pub values: Vec<String>,
}
