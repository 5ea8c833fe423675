//! Moves all files to S3 or to the disk. May run twice: it goes on behind the last step that was
//! noted, and what is there already is not copied again.

use crate::{app::App, domain::jobs::Job, error::Result, id::Id};

pub async fn run(app: &App, job: Id<Job>) -> Result<()> {
    app.migrate(job).await
}
