//! Backups, as the command line asks for them.

use super::{Reply, Request};
use crate::{
    app::{
        App, PlanView, Reporter, list_backups, place_of_backups, prune_backups, unlock_backups,
        verify_backups,
    },
    backup::Trust,
    clock::Clock,
    config::Config,
    domain::{
        access::Actor,
        backups::{self, Plan},
    },
    error::Result,
};

pub async fn set_plan(app: &App, plan: Plan) -> Result<PlanView> {
    app.store
        .write(move |tx| {
            let actor = Actor::system("Command line", None);
            backups::set_plan(tx, &actor, plan)
        })
        .await?;
    app.backup_plan().await
}

pub async fn trust(app: &App, place: String) -> Result<()> {
    app.trust_repository(Actor::system("Command line", None), place).await
}

/// What can be done where no portal is: on a fresh host, before a restore. `None` for the rest.
pub async fn without_portal(
    config: &Config,
    request: &Request,
    reporter: &Reporter,
) -> Option<Result<Reply>> {
    let named = |place: &Option<String>| place_of_backups(config, place.as_deref());
    Some(match request {
        Request::Backups { place, key } => {
            list_backups(config, &named(place), key).await.map(Reply::Backups)
        }
        Request::VerifyBackups { place, key, signers, all_data, mends } => {
            let trust = Trust { key: key.clone(), signers: *signers };
            verify_backups(config, &named(place), trust, *all_data, *mends, reporter)
                .await
                .map(Reply::VerifiedBackups)
        }
        Request::UnlockRepository { place } => {
            let leases = unlock_backups(config, &named(place)).await;
            leases.map(|leases| Reply::Unlocked { leases })
        }
        Request::PruneBackups { place, key, retention } => {
            prune_backups(config, &named(place), key, *retention, &Clock::system())
                .await
                .map(Reply::PrunedBackups)
        }
        _ => return None,
    })
}
