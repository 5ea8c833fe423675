//! Asks once before an act that cannot be undone, where no script has asked already: a form that
//! arrives without `confirmed=1` is answered with this page.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;

use super::{HiddenField, Html, Page, Place, filters, page};
use crate::web::{auth::Visitor, fault::Result};

#[derive(Clone, Debug, Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    pub page: Page,
    /// `Delete “Annual report” for good?`
    pub question: String,
    /// What follows from it.
    pub detail: String,
    /// `Delete for good`.
    pub button: String,
    /// The address that asked; gets the same fields again, and `confirmed=1`.
    pub action: String,
    pub fields: Vec<HiddenField>,
    pub back_href: String,
}

/// What an act that cannot be undone is sent with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Confirmation {
    confirmed: String,
}

impl Confirmation {
    pub fn is_confirmed(&self) -> bool {
        self.confirmed == "1"
    }
}

/// What is asked before an act, without the frame.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub question: String,
    pub detail: String,
    pub button: String,
    pub action: String,
    pub fields: Vec<HiddenField>,
    pub back_href: String,
}

impl Question {
    pub async fn ask(
        self,
        request: &HttpRequest,
        visitor: &Visitor,
        place: Place,
    ) -> Result<HttpResponse> {
        let asked = ConfirmPage {
            page: page(request, visitor, place).await?,
            question: self.question,
            detail: self.detail,
            button: self.button,
            action: self.action,
            fields: self.fields,
            back_href: self.back_href,
        };
        Html(asked).with_status(StatusCode::OK)
    }
}
