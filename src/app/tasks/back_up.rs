//! Backs the portal up as the plan says. May run twice: that makes two backups.

use futures_util::FutureExt;

use crate::{app::App, domain::jobs::Job, error::Result, id::Id};

pub async fn run(app: &App, job: Id<Job>) -> Result<()> {
    app.back_up_as_planned(job).boxed().await
}
