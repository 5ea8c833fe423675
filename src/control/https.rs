//! HTTPS, as the command line sets it.

use serde::{Deserialize, Serialize};

use super::Running;
use crate::{
    app::{App, HttpsStanding},
    domain::access::Actor,
    error::{Error, Result},
};

/// What to do with a setting.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change<T> {
    #[default]
    Keep,
    /// The configuration says it again.
    Unset,
    Set(T),
}

impl<T> Change<T> {
    fn of(self, now: Option<T>) -> Option<T> {
        match self {
            Change::Keep => now,
            Change::Unset => None,
            Change::Set(value) => Some(value),
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HttpsChange {
    pub domains: Change<Vec<String>>,
    pub email: Change<String>,
}

pub async fn change(app: &App, change: HttpsChange) -> Result<HttpsStanding> {
    let now = app.settings();
    let domains = change.domains.of(now.domains.clone());
    let email = change.email.of(now.acme_email.clone());
    app.set_https(Actor::system("Command line", None), domains, email).await?;
    app.https_standing().await
}

pub async fn fetch(app: &App, running: Option<&Running>) -> Result<HttpsStanding> {
    if running.is_none() {
        let message = "No portal is running. Start it: it fetches what is missing by itself.";
        return Err(Error::conflict(message));
    }
    app.fetch_certificates_now(Actor::system("Command line", None)).await?;
    app.https_standing().await
}
