//! `appliance reindex`: builds the search index anew. The old one answers until the new one is
//! complete.

use super::{Exit, Failure, Shell, ask::unexpected, output};
use crate::control::{Reply, Request};

pub fn run(shell: &Shell) -> Result<Exit, Failure> {
    match shell.ask(Request::Reindex)? {
        Reply::Reindexed { documents } => {
            let documents = output::counted(documents, "document", "documents");
            output::print(&format!("The search index is new and holds {documents}.\n"))?;
            Ok(Exit::Done)
        }
        other => Err(unexpected(&other)),
    }
}
