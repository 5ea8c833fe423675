//! Gives a leaving person's documents to their heir, then removes the account. May run twice, and
//! goes on where it stopped: it takes whatever is still left.

use crate::{
    app::App,
    domain::{
        documents,
        jobs::{self, Job, Progress},
        users::{self, User},
    },
    error::Result,
    id::Id,
};

const STEP: usize = 200;

pub async fn run(app: &App, job: Id<Job>, from: Id<User>, to: Id<User>) -> Result<()> {
    let mut done = 0;
    loop {
        let moved = app
            .store
            .write(move |tx| {
                let moved = documents::hand_over(tx, from, to, STEP)?;
                jobs::note_progress(tx, job, Progress { done: done + moved as u64, total: None })?;
                Ok(moved)
            })
            .await?;
        if moved == 0 {
            return app.store.write(move |tx| users::finish_leaving(tx, from)).await;
        }
        done += moved as u64;
    }
}
