//! Backups, as the command line asks for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    app::{
        App, BACKUPS, BackupSource, Drilled, FoundBackups, ListedBackup, Reporter, list_backups,
        prune_backups, verify_backups,
    },
    backup::{Key, Passphrase, Pruned, Retention},
    clock::Clock,
    config::Config,
    domain::{
        access::Actor,
        backups::{self, Plan, Standing},
    },
    error::Result,
};

use super::{Reply, Request};

/// The plan and how it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanView {
    pub plan: Plan,
    pub place: String,
    pub standing: Standing,
}

impl PlanView {
    /// For eyes and logs.
    pub fn without_secrets(mut self) -> Self {
        if !self.plan.passphrase.is_empty() {
            self.plan.passphrase = "(set)".into();
        }
        self.plan.keys.clear();
        self
    }
}

pub async fn plan(app: &App) -> Result<PlanView> {
    let (plan, standing) =
        app.store.read(|tx| Ok((backups::plan(tx)?, backups::standing(tx)?))).await?;
    let place = place(&app.config, &plan, None);
    Ok(PlanView { plan, place, standing })
}

pub async fn set_plan(app: &App, plan: Plan) -> Result<PlanView> {
    app.store
        .write(move |tx| {
            let actor = Actor::system("Command line", None);
            backups::set_plan(tx, &actor, plan)
        })
        .await?;
    self::plan(app).await
}

pub async fn list(app: &App, place: Option<String>, key: Key) -> Result<Vec<ListedBackup>> {
    let (place, key) = known(app, place, key).await?;
    list_backups(&place, &key).await
}

pub async fn verify(
    app: &App,
    place: Option<String>,
    key: Key,
    (all_data, mends): (bool, bool),
    reporter: &Reporter,
) -> Result<FoundBackups> {
    let (place, key) = known(app, place, key).await?;
    verify_backups(&place, &key, all_data, mends, reporter).await
}

pub async fn prune(
    app: &App,
    place: Option<String>,
    key: Key,
    retention: Retention,
) -> Result<Pruned> {
    let (place, key) = known(app, place, key).await?;
    prune_backups(&place, &key, retention, &app.clock).await
}

pub async fn drill(
    app: &Arc<App>,
    place: Option<String>,
    key: Key,
    reporter: &Reporter,
) -> Result<Drilled> {
    let (place, key) = known(app, place, key).await?;
    app.drill(BackupSource::named(&place)?, key, reporter).await
}

/// The place that was named or that the plan has, and the keys that open it.
async fn known(app: &App, named: Option<String>, key: Key) -> Result<(String, Key)> {
    let plan = app.store.read(backups::plan).await?;
    let place = place(&app.config, &plan, named);
    if key != Key::None {
        return Ok((place, key));
    }
    let is_archive = !matches!(BackupSource::named(&place), Ok(BackupSource::Repository(_)));
    let key = match is_archive {
        true if !plan.passphrase.is_empty() => Key::Passphrase(Passphrase(plan.passphrase)),
        true => Key::None,
        false if plan.keys.is_empty() => Key::None,
        false => Key::Identities(plan.keys.into_values().map(Passphrase).collect()),
    };
    Ok((place, key))
}

fn place(config: &Config, plan: &Plan, named: Option<String>) -> String {
    let folder = || config.data.join(BACKUPS).display().to_string();
    named.or_else(|| plan.repository.clone()).unwrap_or_else(folder)
}

/// What can be done where no portal is: on a fresh host, before a restore. `None` for the rest.
pub async fn without_portal(
    config: &Config,
    request: &Request,
    reporter: &Reporter,
) -> Option<Result<Reply>> {
    let named = |place: &Option<String>| place_of(config, place);
    Some(match request {
        Request::Backups { place, key } => {
            list_backups(&named(place), key).await.map(Reply::Backups)
        }
        Request::VerifyBackups { place, key, all_data, mends } => {
            verify_backups(&named(place), key, *all_data, *mends, reporter)
                .await
                .map(Reply::VerifiedBackups)
        }
        Request::PruneBackups { place, key, retention } => {
            prune_backups(&named(place), key, *retention, &Clock::system())
                .await
                .map(Reply::PrunedBackups)
        }
        _ => return None,
    })
}

fn place_of(config: &Config, named: &Option<String>) -> String {
    place(config, &Plan::default(), named.clone())
}
