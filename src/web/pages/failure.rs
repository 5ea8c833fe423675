//! What people see when something does not work: what happened, and what to do.

use actix_web::http::StatusCode;
use askama::Template;

use super::{Page, filters, format};
use crate::{error::Error, web::fault::status_of};

/// An error as a whole page, in the frame.
#[derive(Clone, Debug, Template)]
#[template(path = "failure.html")]
pub struct FailurePage {
    pub page: Page,
    pub failure: Failure,
}

/// The same without the frame, the style sheet's address aside: for when not even the organization
/// can be read, or nobody knows who is asking.
#[derive(Clone, Debug, Template)]
#[template(path = "failure_plain.html")]
pub struct PlainFailurePage {
    pub failure: Failure,
}

#[derive(Clone, Debug)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    pub title: String,
    pub message: String,
    /// When to come back: `3 minutes`.
    pub wait: Option<String>,
    /// For the operator, who finds it in the log; shown with faults of ours.
    pub request_id: Option<String>,
    pub offers_sign_in: bool,
}

impl Failure {
    pub fn of(error: &Error, request_id: Option<&str>) -> Failure {
        let mut failure = Failure::told(status_of(error), error.to_string(), request_id);
        if let Error::Busy { retry_after_s, .. } = error {
            failure.wait = Some(format::wait_s(*retry_after_s));
        }
        failure
    }

    /// From what is left of a fault when the answer is on its way.
    pub fn told(
        status: StatusCode,
        message: impl Into<String>,
        request_id: Option<&str>,
    ) -> Failure {
        let title = match status.as_u16() {
            400 | 422 => "That did not work",
            401 => "Sign in first",
            403 => "Not allowed",
            404 => "Not found",
            405 => "Not possible here",
            409 => "Somebody was faster",
            413 => "Too large",
            429 => "Too many tries",
            503 => "Busy at the moment",
            507 => "No room left",
            500.. => "Something went wrong",
            _ => "That did not work",
        };
        Failure {
            status: status.as_u16(),
            title: title.to_owned(),
            message: message.into(),
            wait: None,
            request_id: request_id.filter(|_| status.is_server_error()).map(str::to_owned),
            offers_sign_in: status == StatusCode::UNAUTHORIZED,
        }
    }

    /// Too many requests or tries from one place.
    pub fn too_many(message: impl Into<String>, retry_after_s: u64) -> Failure {
        Failure {
            status: 429,
            title: "Too many tries".to_owned(),
            message: message.into(),
            wait: Some(format::wait_s(retry_after_s)),
            request_id: None,
            offers_sign_in: false,
        }
    }

    pub fn icon(&self) -> &'static str {
        match self.status {
            401 | 403 => "lock",
            404 => "search",
            429 | 503 => "clock",
            _ => "alert",
        }
    }
}
