//! What each request does, whoever carries it out: the running server or the command line.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Reply, Request, accounts, backups as making, https, storage};
use crate::{
    app::{App, HttpsStanding, PlanView, Reporter, Step},
    backup::Trust,
    blocking::blocking,
    config::Backend,
    domain::{
        backups::{self, Standing},
        jobs, users,
    },
    error::{Error, Result},
    host::processes,
    space::space,
};

/// The server that carries a request out, when it is one.
#[derive(Clone, Debug)]
pub struct Running {
    /// The address for people while the portal has no domain, without a slash at its end.
    pub url: String,
    pub listens_on: SocketAddr,
    pub started_at: Timestamp,
}

impl Running {
    /// The address for people: that of the main domain, once there is one.
    pub fn public_url(&self, app: &App) -> String {
        app.public_url().unwrap_or_else(|| self.url.clone())
    }
}

/// A server that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub url: String,
    pub listens_on: SocketAddr,
    pub started_at: Timestamp,
    /// False until somebody can administer the portal.
    pub is_set_up: bool,
    pub people: u64,
    pub jobs_waiting: u64,
    pub jobs_running: u64,
    pub jobs_failed: u64,
    /// Changes that the search index does not show yet.
    pub index_behind: u64,
    /// The memory of the server's process.
    #[serde(default)]
    pub memory_bytes: u64,
    /// The disk of the data folder.
    #[serde(default)]
    pub disk_total_bytes: u64,
    #[serde(default)]
    pub disk_free_bytes: u64,
    /// Where files rest: `this machine`, or such as `s3://documents`.
    #[serde(default)]
    pub storage: String,
    /// Files that wait to be moved there.
    #[serde(default)]
    pub files_waiting: u64,
    /// What is wrong with it; a sentence.
    #[serde(default)]
    pub storage_fault: Option<String>,
    #[serde(default)]
    pub backups: Standing,
    /// `None` from a server that is older than this field.
    #[serde(default)]
    pub https: Option<Box<HttpsStanding>>,
}

/// Carries out one request. `running` is `None` when no server runs and the command line has
/// opened the data itself.
pub async fn carry_out(
    app: &Arc<App>,
    running: Option<&Running>,
    request: Request,
    reporter: &Reporter,
) -> Result<Reply> {
    match request {
        Request::Status => status(app, server(running)?).await.map(Box::new).map(Reply::Status),
        Request::SetupLink => setup_link(app, server(running)?).await,
        Request::UserAdd(new) => accounts::add(app, new).await.map(Reply::UserAdded),
        Request::UserList => accounts::list(app).await.map(Reply::Users),
        Request::UserPasswd { login, password } => {
            accounts::set_password(app, login, password).await.map(Reply::User)
        }
        Request::UserDisable { login } => accounts::disable(app, login).await.map(Reply::User),
        Request::UserEnable { login } => accounts::enable(app, login).await.map(Reply::User),
        Request::Reindex => reindex(app, reporter).await,
        Request::Check { deep } => app.check(deep, reporter).await.map(Reply::Checked),
        Request::Doctor => app.doctor(running.is_some()).await.map(Reply::Findings),
        Request::Probe => Ok(Reply::Findings(app.probe().await)),
        Request::BackUp(wanted) => app.back_up(wanted, reporter).await.map(Reply::BackedUp),
        Request::Backups { place, key } => app.backups(place, key).await.map(Reply::Backups),
        Request::BackupSigner => app.backup_signer_key().await.map(Reply::BackupSigner),
        Request::VerifyBackups { place, key, signers, all_data, mends } => {
            let trust = Trust { key, signers };
            let found = app.verify_backups(place, trust, (all_data, mends), reporter).await;
            found.map(Reply::VerifiedBackups)
        }
        Request::PruneBackups { place, key, retention } => {
            app.prune_backups(place, key, retention).await.map(Reply::PrunedBackups)
        }
        Request::TrustRepository { place } => {
            making::trust(app, place).await.map(|()| Reply::Trusted)
        }
        Request::UnlockRepository { place } => {
            app.unlock_backups(place).await.map(|leases| Reply::Unlocked { leases })
        }
        Request::Drill { place, key } => {
            app.drill_backup(place, key, reporter).await.map(Reply::Drilled)
        }
        Request::Https => standing(app.https_standing().await),
        Request::FetchCertificates => standing(https::fetch(app, running).await),
        Request::SetHttps(change) => standing(https::change(app, change).await),
        Request::BackupPlan => view(app.backup_plan().await),
        Request::SetBackupPlan(plan) => view(making::set_plan(app, *plan).await),
        Request::CheckStorage => storage::check(app).await.map(Reply::CheckedStorage),
        Request::ClaimStorage => storage::claim(app).await.map(Reply::ClaimedStorage),
        Request::MigrateStorage { to, removes_old } => {
            let moved = storage::migrate(app, running, (to, removes_old), reporter).await;
            moved.map(|moved| Reply::MigratedStorage(Box::new(moved)))
        }
        Request::ScrubStorage { percent } => {
            storage::scrub(app, running, percent, reporter).await.map(Reply::ScrubbedStorage)
        }
        Request::CopyRecords { to } => {
            app.copy_records(to, reporter).await.map(|()| Reply::CopiedRecords)
        }
        Request::Export { folder, login } => {
            app.export(&folder, login, reporter).await.map(Reply::Exported)
        }
    }
}

fn view(plan: Result<PlanView>) -> Result<Reply> {
    plan.map(|plan| Reply::BackupPlan(Box::new(plan)))
}

fn standing(standing: Result<HttpsStanding>) -> Result<Reply> {
    standing.map(|standing| Reply::Https(Box::new(standing)))
}

fn server(running: Option<&Running>) -> Result<&Running> {
    running.ok_or_else(|| {
        Error::NotFound("The portal is not running. Start it with “appliance serve”.".into())
    })
}

async fn status(app: &App, running: &Running) -> Result<Status> {
    let latest = *app.store.latest_change().borrow();
    let (is_set_up, people, jobs) = app
        .store
        .read(|tx| {
            let people = users::list(tx)?.len() as u64;
            Ok((users::has_administrator(tx)?, people, jobs::counts(tx)?))
        })
        .await?;
    let backups = app.store.read(backups::standing).await?;
    let storage = app.blobs.status().await?;
    let space = space(&app.config.data)?;
    let count = |state| jobs.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
    Ok(Status {
        version: crate::version::number().into(),
        pid: std::process::id(),
        url: running.public_url(app),
        listens_on: running.listens_on,
        started_at: running.started_at,
        is_set_up,
        people,
        jobs_waiting: count(jobs::State::Queued),
        jobs_running: count(jobs::State::Running),
        jobs_failed: count(jobs::State::Failed),
        index_behind: app.index_lag(latest),
        memory_bytes: processes::own_memory_bytes(),
        disk_total_bytes: space.total_bytes,
        disk_free_bytes: space.free_bytes,
        storage: match (&storage.remote, storage.backend) {
            (Some(remote), Backend::S3) => remote.name.clone(),
            _ => "this machine".into(),
        },
        files_waiting: storage.spooled.files,
        storage_fault: storage.degraded(),
        backups,
        https: Some(Box::new(app.https_standing().await?)),
    })
}

async fn setup_link(app: &App, running: &Running) -> Result<Reply> {
    match setup_url(app, &running.public_url(app)).await? {
        Some(url) => Ok(Reply::SetupLink { url }),
        None => Err(Error::conflict(
            "The portal is set up already. For another administrator: “appliance user add NAME \
             --email ADDRESS --admin”.",
        )),
    }
}

async fn reindex(app: &Arc<App>, reporter: &Reporter) -> Result<Reply> {
    reporter.begin("Building the search index", None);
    let step = |done, total| {
        let what = "Building the search index".into();
        reporter.repeat(Step { what, done, total: Some(total) });
    };
    app.reindex(&step).await?;
    app.catch_up().await?;
    let index = app.index.clone();
    let status = blocking(move || index.status()).await?;
    Ok(Reply::Reindexed { documents: status.entries })
}

/// A new one-time setup link, as long as nobody can administer the portal.
pub async fn setup_url(app: &App, url: &str) -> Result<Option<String>> {
    if app.store.read(users::has_administrator).await? {
        return Ok(None);
    }
    let secret = app.setup_link.issue()?;
    Ok(Some(format!("{url}/setup/{}", secret.reveal())))
}
