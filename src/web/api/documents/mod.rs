//! Documents: finding, adding, reading, changing, and deciding who sees them.
//!
//! [`view`] is a document as JSON · [`find`] lists · [`add`] uploads and links · [`change`] edits ·
//! [`life`] publishes, archives, trashes · [`text`] · [`versions`] · [`bulk`]
//! many at once.

mod add;
mod bulk;
mod change;
mod find;
mod life;
mod text;
mod versions;
mod view;

pub(super) use add::only_known_fields;
pub use add::{LinkForm, UploadForm, link, upload};
pub use bulk::{BulkAnswer, BulkForm, bulk};
pub use change::{DocumentChange, VisibilityForm, edit, set_visibility, show};
pub use find::{
    DocumentList, DocumentsWanted, Statistics, SuggestionList, SuggestionsWanted, designs, list,
    statistics, suggestions,
};
pub use life::{
    ActivityList, ActivityWanted, TrashList, TrashWanted, activity, archive, delete_for_good,
    list_trash, publish, restore, trash, trash_with_delete, withdraw,
};
pub use text::{TextView, text};
pub use versions::{VersionList, VersionUpload, add_version, list_versions, make_current};
pub use view::DocumentView;
