//! Brings the documents of a renamed category, or with the same file, up to date in the search
//! index. May run twice: the index holds each document once. `appliance reindex` does the same for
//! all documents.

use crate::{app::App, domain::documents::Shared, error::Result};

pub async fn run(app: &App, shared: Shared) -> Result<()> {
    app.index_sharing(shared).await
}
