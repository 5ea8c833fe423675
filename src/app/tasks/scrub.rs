//! Reads a share of all files again. May run twice: it goes on behind the last file that was noted.

use crate::{app::App, domain::jobs::Job, error::Result, id::Id};

pub async fn run(app: &App, job: Id<Job>) -> Result<()> {
    app.scrub(job).await
}
