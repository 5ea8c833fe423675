//! Adding files. The form works as it is (many files, one set of details); the page's script sends
//! each file by itself, with progress, cancel and retry.

use askama::Template;

use super::{DetailsFields, Status, VisibilityFields};
use crate::web::pages::{FormErrors, Page, filters};

/// `GET /documents/upload`; posts `multipart/form-data` to the same address: `csrf` first, `file`
/// (repeated), the details, `status`, the visibility. Without the script the files come before the
/// details, because that is how people fill it in: spool them, then read on.
///
/// The script posts one file at a time, as the last part, to the same address with `Accept:
/// application/json` and the header `X-CSRF-Token`; it expects `201` with `{"title", "url"}`, or a
/// problem with `detail`.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/upload.html")]
pub struct UploadPage {
    pub page: Page,
    pub errors: FormErrors,
    pub limits: UploadLimits,
    pub details: DetailsFields,
    pub status: Status,
    pub visibility: VisibilityFields,
    /// What happened to each file, after a submission without the script of which some failed.
    pub outcomes: Vec<UploadOutcome>,
}

/// What the script must know before it sends anything.
#[derive(Clone, Debug, Default)]
pub struct UploadLimits {
    pub file_size_bytes_max: u64,
    /// How many files one form may carry.
    pub files_max: usize,
}

/// What became of one file.
#[derive(Clone, Debug)]
pub struct UploadOutcome {
    pub filename: String,
    /// The new document's page; `None` when it failed.
    pub href: Option<String>,
    /// What went wrong and what to do; empty on success.
    pub message: String,
}
