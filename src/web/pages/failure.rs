//! What people see when something does not work: what happened, and what to do.

use actix_web::http::StatusCode;
use askama::Template;

use super::{Page, filters, format};

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
    /// The way to sign in and back to the form, where the session ended while it was filled in.
    pub sign_in_href: Option<String>,
}

impl Failure {
    /// From what is left of a fault when the answer is on its way.
    pub fn told(
        status: StatusCode,
        message: impl Into<String>,
        retry_after_s: Option<u64>,
        request_id: Option<&str>,
    ) -> Failure {
        let title = match status.as_u16() {
            400 | 422 => "That did not work",
            401 => "Sign in first",
            403 => "Not allowed",
            404 => "Not found",
            405 => "Not possible here",
            409 => "That is not possible now",
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
            wait: retry_after_s.map(format::wait_s),
            request_id: request_id.filter(|_| status.is_server_error()).map(str::to_owned),
            sign_in_href: (status == StatusCode::UNAUTHORIZED).then(|| "/sign-in".to_owned()),
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
