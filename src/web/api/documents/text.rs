//! The text of a document. The file and its images are served as on the pages.

use actix_web::web::{Data, Json as Answer, Path};
use schemars::JsonSchema;
use serde::Serialize;

use super::view::{TextState, TextStateName};
use crate::{
    app::{self, App},
    domain::documents::{self, Document},
    extract,
    id::Id,
    web::{auth::Visitor, fault::Result},
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Text")]
pub struct TextView {
    #[serde(flatten)]
    state: TextState,
    /// Empty when there is none, or not yet.
    text: String,
}

pub async fn text(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<Answer<TextView>> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    let state = app
        .store
        .read(move |tx| {
            let document = documents::readable(tx, &actor, id)?;
            let found = app::with_surroundings(tx, document)?;
            Ok(TextState::of(found.blob.as_ref()))
        })
        .await?;
    let text = match state.state {
        TextStateName::Done => app.text(visitor.actor(), id, extract::TEXT_BYTES_MAX).await?,
        _ => String::new(),
    };
    Ok(Answer(TextView { state, text }))
}
