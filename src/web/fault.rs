//! From an [`Error`] to an answer, at the last step: a problem document (RFC 9457) for programs, a
//! page for people, a way to the sign-in page for strangers.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

use crate::error::Error;

pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// The error of every handler. It has no body of its own: [`answer`](super::answer) writes one when
/// it knows who asked.
#[derive(Debug)]
pub struct Fault(pub Error);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault(error)
    }
}

impl From<anyhow::Error> for Fault {
    fn from(chain: anyhow::Error) -> Self {
        Fault(chain.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        status_of(&self.0)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.0.retry_after_s() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response.finish()
    }
}

/// The status that says what sort of error it is.
pub fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Invalid { field: None, .. } => StatusCode::BAD_REQUEST,
        Error::Invalid { field: Some(_), .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::SignInRequired | Error::WrongCredentials => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) | Error::OwnPasswordRequired => StatusCode::FORBIDDEN,
        Error::Conflict(_) | Error::Taken { .. } => StatusCode::CONFLICT,
        Error::Stale(_) => StatusCode::PRECONDITION_FAILED,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// One of several things that are wrong with a request.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FieldProblem {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub detail: String,
}

/// A problem document.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what sort of problem it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: &'static str,
    pub status: u16,
    /// What went wrong and what to do, for a person.
    pub detail: String,
    /// The field of the request that is at fault; of several, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Each thing that is wrong with the request, where there are several; `detail` names all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Stands in the log beside this request.
    pub request_id: String,
}

impl Problem {
    pub fn new(status: StatusCode, detail: String, request_id: String) -> Self {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            field: None,
            errors: Vec::new(),
            request_id,
        }
    }
}
