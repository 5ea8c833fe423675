//! Asks the running server, or opens the data when none runs.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{AskError, Reply, Request, ask, carry_out};
use crate::{
    app::{App, Changeover, Reporter},
    blocking::blocking,
    clock::Clock,
    config::Config,
    error::Error,
    host::{owner, processes},
};

/// How long two verbs that need the data wait for each other, and one for a server that is just
/// starting.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Why nothing came of a request.
#[derive(Debug)]
pub enum Refused {
    /// Another process has the data open and does not answer.
    InUse(Error),
    /// No portal has ever been in the data folder.
    NoPortal(Error),
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Failed(error)
    }
}

/// Has a request carried out by the server that runs, or else by this process.
pub async fn ask_or_open(
    config: &Config,
    request: Request,
    reporter: &Reporter,
) -> Result<Reply, Refused> {
    let data = &config.data;
    let give_up_at = Instant::now() + PATIENCE;
    loop {
        match ask(data, &request, reporter).await {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(AskError::Failed(error)) => return Err(Refused::Failed(error)),
            Err(AskError::Silent) => return Err(Refused::InUse(in_use(data))),
        }
        if Changeover::of(data).is_under_way() && Instant::now() < give_up_at {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        if Changeover::of(data).is_under_way() {
            return Err(Refused::InUse(updating()));
        }
        if !data.join(App::DATABASE).exists() && !request.may_begin() {
            return Err(Refused::NoPortal(no_portal(data)));
        }
        // Else root would leave files behind that the server's own user cannot open.
        owner::become_owner_of(data)?;
        match open(config.clone()).await {
            Ok(app) => return Ok(carry_out(&app, None, request, reporter).await?),
            Err(Error::Busy { .. }) if Instant::now() < give_up_at => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(Error::Busy { .. }) => return Err(Refused::InUse(in_use(data))),
            Err(error) => return Err(Refused::Failed(error)),
        }
    }
}

async fn open(config: Config) -> Result<Arc<App>, Error> {
    blocking(move || App::open(config, Clock::system())).await
}

fn in_use(data: &Path) -> Error {
    let process = match processes::with_file(&data.join(App::DATABASE)) {
        Some(process) => process.to_string(),
        None => "Another process".into(),
    };
    Error::Busy {
        message: format!(
            "{process} uses the data in {} and does not answer. Wait until it is done, or end it.",
            data.display()
        ),
        retry_after_s: 1,
    }
}

/// What is written between the two versions would be lost if the first came back.
fn updating() -> Error {
    Error::Busy {
        message:
            "An update is under way. Wait until it is done; one that was cut off is settled by \
                  “appliance start”."
                .into(),
        retry_after_s: 1,
    }
}

fn no_portal(data: &Path) -> Error {
    Error::NotFound(format!(
        "There is no portal in {}. Name its folder with --data, or begin one with “appliance serve”.",
        data.display()
    ))
}
