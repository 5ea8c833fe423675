//! Rehearses restoring the newest backup. May run twice: it changes nothing but a scratch folder.

use crate::{app::App, domain::jobs::Job, error::Result, id::Id};

pub async fn run(app: &App, job: Id<Job>) -> Result<()> {
    app.drill_as_planned(job).await
}
