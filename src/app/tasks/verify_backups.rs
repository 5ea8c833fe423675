//! Reads backups again. May run twice: it changes nothing.

use crate::{app::App, domain::jobs::Job, error::Result, id::Id};

pub async fn run(app: &App, job: Id<Job>, archive: Option<String>) -> Result<()> {
    app.verify_as_planned(job, archive).await
}
