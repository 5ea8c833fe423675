//! A document's page: read it, see its versions and what happened to it, act on it.

mod preview;
mod reading;
mod table;

use askama::Template;

pub use self::{
    reading::{document_page, preview, show},
    table::Table,
};

use super::{ChoiceLink, FileFace, Status, Visibility};
use crate::web::pages::{FormErrors, Moment, Page, filters};

/// `GET /documents/{id}`.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/show.html")]
pub struct DocumentPage {
    pub page: Page,
    /// Errors of the form that uploads a new version.
    pub errors: FormErrors,
    pub document: DocumentDetails,
    pub preview: Preview,
    /// The newest first.
    pub versions: Vec<VersionRow>,
    /// The newest first.
    pub activity: Vec<ActivityRow>,
    /// Leads to the rest of the activity.
    pub more_activity_href: Option<String>,
    pub allowed: Allowed,
    /// At home in the document's organization: to others the library and its filters lead nowhere,
    /// and nobody tells them who did what.
    pub is_insider: bool,
}

/// `GET /documents/{id}/preview`: the preview alone, asked for until it is ready.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/preview.html")]
pub struct PreviewFragment {
    pub document: DocumentDetails,
    pub preview: Preview,
}

#[derive(Clone, Debug)]
pub struct DocumentDetails {
    pub id: String,
    pub title: String,
    /// Paragraphs are separated by empty lines.
    pub description: String,
    pub category: Option<ChoiceLink>,
    pub tags: Vec<ChoiceLink>,
    /// `Poster`, `Link`; `None` for the ordinary file.
    pub kind: Option<String>,
    pub face: FileFace,
    /// Empty for links.
    pub filename: String,
    pub media_type: String,
    pub size_bytes: u64,
    /// `Some` for links: where it leads.
    pub link_url: Option<String>,
    pub pages: Option<u64>,
    /// Empty for readers from outside of the organization.
    pub owner: String,
    pub created: Moment,
    pub updated: Moment,
    pub is_new: bool,
    pub status: Status,
    pub visibility: Visibility,
    /// The names of the groups and people, when it is restricted and the reader may know.
    pub seen_by: Vec<String>,
    /// When it leaves the trash for good; `None` outside the trash.
    pub trashed: Option<Trashed>,
    /// What reading the text came to.
    pub text: TextState,
}

#[derive(Clone, Debug)]
pub struct Trashed {
    pub by: String,
    pub at: Moment,
    /// `in 23 days`.
    pub gone: Moment,
}

/// Whether the document can be found by its content.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum TextState {
    /// It can; or there is nothing to say.
    #[default]
    Ready,
    /// The file is still being read.
    Pending,
    /// By some of it only: the reason, as a sentence.
    Partial(String),
    /// The text could not be read: the reason, as a sentence.
    Failed(String),
}

impl TextState {
    pub fn failure(&self) -> Option<&str> {
        match self {
            TextState::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    pub fn gap(&self) -> Option<&str> {
        match self {
            TextState::Partial(reason) => Some(reason),
            _ => None,
        }
    }

    pub fn is_pending(&self) -> bool {
        *self == TextState::Pending
    }
}

/// What the reader sees of the file.
///
/// `content_url` must answer inline, with `frame-ancestors 'self'`, and a PDF without a sandbox:
/// browsers refuse to start their viewer in one.
#[derive(Clone, Debug)]
pub enum Preview {
    /// The browser's own viewer, with our page images where it has none.
    Pdf {
        content_url: String,
        pages: Vec<PageImage>,
    },
    /// Page images alone: slides, office files.
    Pages(Vec<PageImage>),
    Image {
        url: String,
        alt: String,
    },
    /// Plain text, cut off where `is_cut` says so.
    Text {
        text: String,
        is_cut: bool,
    },
    /// A table or the sheets of a spreadsheet, cut off where `is_cut` says so.
    Tables {
        tables: Vec<Table>,
        is_cut: bool,
    },
    /// CommonMark as harmless HTML, cut off where `is_cut` says so.
    Prose {
        html: String,
        is_cut: bool,
    },
    Audio {
        url: String,
        media_type: String,
    },
    Video {
        url: String,
        media_type: String,
        poster_url: Option<String>,
    },
    Link {
        url: String,
        host: String,
    },
    /// No more than a small picture.
    Thumbnail {
        url: String,
    },
    /// Being made; the page asks again.
    Pending,
    /// Nothing to show, and why: `There is no preview for this type of file.`
    None {
        reason: String,
    },
}

impl Preview {
    pub fn is_pending(&self) -> bool {
        matches!(self, Preview::Pending)
    }
}

/// A picture of one page.
#[derive(Clone, Debug)]
pub struct PageImage {
    pub number: u32,
    pub url: String,
    /// Pixels, so that the page does not jump while pictures arrive.
    pub width: u32,
    pub height: u32,
}

#[derive(Clone, Debug)]
pub struct VersionRow {
    pub id: String,
    pub number: u32,
    pub filename: String,
    pub size_bytes: u64,
    /// Empty for readers from outside of the organization.
    pub by: String,
    pub at: Moment,
    pub is_current: bool,
}

#[derive(Clone, Debug)]
pub struct ActivityRow {
    pub who: String,
    /// `published it`, `uploaded version 3`: follows the name.
    pub what: String,
    pub at: Moment,
    pub icon: &'static str,
}

/// What this person may do with this document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    pub download: bool,
    pub edit: bool,
    pub change_visibility: bool,
    pub publish: bool,
    pub withdraw: bool,
    pub archive: bool,
    pub unarchive: bool,
    pub upload_version: bool,
    pub trash: bool,
    pub restore: bool,
    pub delete: bool,
}

impl Allowed {
    /// Whether the menu behind "More" has anything in it.
    pub fn anything_more(&self) -> bool {
        self.withdraw || self.archive || self.unarchive || self.trash || self.change_visibility
    }
}
