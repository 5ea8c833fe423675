//! Moves all documents of a category to another one, or to none, then removes it. May run twice,
//! and goes on where it stopped: it takes whatever is still left.

use crate::{
    app::App,
    domain::{
        categories::Category,
        documents,
        jobs::{self, Job, Progress},
    },
    error::Result,
    id::Id,
};

const STEP: usize = 200;

pub async fn run(
    app: &App,
    job: Id<Job>,
    from: Id<Category>,
    to: Option<Id<Category>>,
) -> Result<()> {
    let mut done = 0;
    loop {
        let moved = app
            .store
            .write(move |tx| {
                let moved = documents::recategorize(tx, from, to, STEP)?;
                jobs::note_progress(tx, job, Progress { done: done + moved as u64, total: None })?;
                if moved == 0 {
                    tx.remove::<Category>(&from)?;
                }
                Ok(moved)
            })
            .await?;
        if moved == 0 {
            return Ok(());
        }
        done += moved as u64;
    }
}
