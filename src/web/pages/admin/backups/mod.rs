//! Backups: how they stand, what there is, and the plan by which they are made.

mod acts;
mod plan;

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use jiff::Timestamp;

pub use self::{
    acts::{ask_for_download, delete, deliver, download, drill, make, verify},
    plan::{PlanForm, submit_plan},
};
use super::{
    Sidebar,
    jobs::{self as job_rows, JobRow},
};
use crate::{
    app::{App, ListedBackup},
    domain::{
        access::{Action, decide},
        backups::{self, Kind, Run},
        jobs::{State, Task},
    },
    error::Error,
    web::{
        auth::Member,
        fault::Result,
        pages::{FormErrors, Html, Moment, Page, Place, Tone, filters, format, page},
    },
};

/// `GET /admin/backups`. The plan posts to `/admin/backups/plan`; acts to `/admin/backups/make`,
/// `/drill`, `/verify`, and about one backup to `/admin/backups/{id}/download` and `/delete`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/backups/index.html")]
pub struct BackupsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub state: BackupsState,
    pub plan: PlanForm,
    /// There is one already; it is not shown.
    pub has_passphrase: bool,
}

/// `GET /admin/backups/state`: the upper half, asked for as long as something runs.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/backups/state.html")]
pub struct BackupsStateFragment {
    /// For the token in the forms.
    pub page: Page,
    pub state: BackupsState,
}

#[derive(Clone, Debug, Default)]
pub struct BackupsState {
    pub is_on: bool,
    pub is_encrypted: bool,
    /// A folder or `s3://bucket/prefix`.
    pub place: String,
    /// By which key the backups are known; empty before the first.
    pub signer: String,
    pub last_success: Option<Moment>,
    pub next_run: Option<Moment>,
    pub last_drill: Option<Moment>,
    /// Sentences.
    pub faults: Vec<String>,
    /// What runs or waits.
    pub jobs: Vec<JobRow>,
    /// Snapshots of the repository, archives; none is empty.
    pub groups: Vec<BackupGroup>,
    /// Why the snapshots cannot be listed now.
    pub snapshots_fault: Option<String>,
    pub runs: Vec<RunRow>,
}

#[derive(Clone, Debug)]
pub struct BackupGroup {
    pub heading: &'static str,
    /// The newest first.
    pub backups: Vec<BackupRow>,
}

#[derive(Clone, Debug)]
pub struct BackupRow {
    pub id: String,
    pub created: Moment,
    /// Empty when they are not known.
    pub holds: String,
    pub size_bytes: Option<u64>,
    pub is_encrypted: bool,
    /// An archive, which can be downloaded.
    pub is_archive: bool,
    /// It is not signed by this portal.
    pub is_strange: bool,
}

#[derive(Clone, Debug)]
pub struct RunRow {
    /// `Backup`.
    pub what: &'static str,
    pub tone: Tone,
    pub place: String,
    pub summary: String,
    pub fault: Option<String>,
    pub finished: Moment,
    pub took_ms: u64,
}

const RUNS_SHOWN: usize = 10;
const SHOWN_MAX: usize = 100;
/// A bucket that does not answer must not keep the page.
const LIST_PATIENCE: Duration = Duration::from_secs(8);

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    let stored = app.store.read(backups::plan).await?;
    shown(&app, &request, &member, PlanForm::of(&stored), Ok(())).await
}

pub async fn state(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
) -> Result<Html<BackupsStateFragment>> {
    decide(&member.actor(), Action::Operate)?;
    Ok(Html(BackupsStateFragment {
        page: page(&request, &member.visitor, Place::Backups).await?,
        state: look(&app, &member).await?,
    }))
}

async fn shown(
    app: &Arc<App>,
    request: &HttpRequest,
    member: &Member,
    plan: PlanForm,
    outcome: crate::error::Result<()>,
) -> Result<HttpResponse> {
    let (errors, status) = FormErrors::after(outcome)?;
    let stored = app.store.read(backups::plan).await?;
    Html(BackupsPage {
        page: page(request, &member.visitor, Place::Backups).await?,
        sidebar: Sidebar::of(app, member).await?,
        errors,
        state: look(app, member).await?,
        plan,
        has_passphrase: !stored.passphrase.is_empty(),
    })
    .with_status(status)
}

async fn look(app: &App, member: &Member) -> Result<BackupsState> {
    let now = app.clock.now();
    let moment = |at: Option<Timestamp>| at.map(|at| Moment::new(at, now));
    let view = app.backup_plan().await?;
    let runs = app.store.read(|tx| backups::runs(tx, RUNS_SHOWN)).await?;
    let mut jobs = Vec::new();
    for state in [State::Running, State::Queued] {
        let (work, _) = app.work(member.actor(), Some(state), None, SHOWN_MAX).await?;
        let ours = work.into_iter().filter(|work| is_ours(&work.job.task));
        jobs.extend(ours.map(|work| job_rows::row(work, now)));
    }
    let archives = app.archives()?.into_iter().rev().take(SHOWN_MAX);
    let (snapshots, snapshots_fault) = match view.plan.repository {
        None => (Vec::new(), None),
        Some(_) => snapshots(app, now).await,
    };
    let archives: Vec<_> = archives.map(|one| backup_row(one, true, now)).collect();
    let groups = [
        BackupGroup { heading: "Snapshots in the repository", backups: snapshots },
        BackupGroup { heading: "Archives in the data folder", backups: archives },
    ];
    Ok(BackupsState {
        is_on: view.standing.is_on,
        is_encrypted: view.standing.is_encrypted,
        place: view.place,
        signer: view.signer.map(|key| key.to_string()).unwrap_or_default(),
        last_success: moment(view.standing.last_success),
        next_run: moment(view.standing.next_run),
        last_drill: moment(view.standing.last_drill),
        faults: view.standing.faults,
        jobs,
        groups: groups.into_iter().filter(|group| !group.backups.is_empty()).collect(),
        snapshots_fault,
        runs: runs.into_iter().map(|run| run_row(run, now)).collect(),
    })
}

fn is_ours(task: &Task) -> bool {
    matches!(task, Task::BackUp | Task::Drill | Task::VerifyBackups { .. })
}

/// Those of the repository, or why they cannot be listed.
async fn snapshots(app: &App, now: Timestamp) -> (Vec<BackupRow>, Option<String>) {
    let listed = tokio::time::timeout(LIST_PATIENCE, app.planned_backups()).await;
    match listed {
        Ok(Ok(listed)) => {
            let newest = listed.into_iter().rev().take(SHOWN_MAX);
            (newest.map(|one| backup_row(one, false, now)).collect(), None)
        }
        // It begins with the first backup.
        Ok(Err(Error::NotFound(_))) => (Vec::new(), None),
        Ok(Err(Error::Internal(chain))) => {
            tracing::warn!("listing backups: {chain:#}");
            (Vec::new(), Some(chain.root_cause().to_string()))
        }
        Ok(Err(known)) => (Vec::new(), Some(known.to_string())),
        Err(_) => (Vec::new(), Some("It does not answer at the moment.".into())),
    }
}

fn backup_row(listed: ListedBackup, is_archive: bool, now: Timestamp) -> BackupRow {
    let holds = listed.records.zip(listed.files).map(|(records, files)| {
        format!("{} records, {} files", format::number(records), format::number(files))
    });
    BackupRow {
        is_encrypted: listed.id.ends_with(".age"),
        id: listed.id,
        created: Moment::new(listed.created_at, now),
        holds: holds.unwrap_or_default(),
        size_bytes: listed.size_bytes,
        is_archive,
        is_strange: listed.is_own == Some(false),
    }
}

fn run_row(run: Run, now: Timestamp) -> RunRow {
    let took = run.finished_at.duration_since(run.started_at);
    RunRow {
        what: match run.kind {
            Kind::Backup => "Backup",
            Kind::Drill => "Rehearsal of a restore",
            Kind::Prune => "Removal of old backups",
            Kind::Verify => "Check",
            Kind::Restore => "Restore of this portal",
        },
        tone: if run.fault.is_none() { Tone::Good } else { Tone::Bad },
        place: run.place,
        summary: run.summary,
        fault: run.fault,
        finished: Moment::new(run.finished_at, now),
        took_ms: took.as_millis().max(0) as u64,
    }
}
