//! What people see when something does not work: what happened, and what to do.

use askama::Template;

use super::{Page, filters, format};
use crate::error::Error;

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
        let (status, title) = match error {
            Error::NotFound(_) => (404, "Not found"),
            Error::Invalid { .. } => (422, "That did not work"),
            Error::SignInRequired => (401, "Sign in first"),
            Error::Forbidden(_) => (403, "Not allowed"),
            Error::Conflict(_) => (409, "Somebody was faster"),
            Error::TooLarge(_) => (413, "Too large"),
            Error::Busy { .. } => (503, "Busy at the moment"),
            Error::Internal(_) => (500, "Something went wrong"),
        };
        let wait = match error {
            Error::Busy { retry_after_s, .. } => Some(format::wait_s(*retry_after_s)),
            _ => None,
        };
        Failure {
            status,
            title: title.to_owned(),
            message: error.to_string(),
            wait,
            request_id: request_id.filter(|_| status == 500).map(str::to_owned),
            offers_sign_in: status == 401,
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
