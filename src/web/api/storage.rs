//! The storage of files, for those who operate the portal.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::JobView;
use crate::{
    app::{App, CheckOutcome, CheckStep, FaultyFile, Ownership, StorageCheck, StorageStanding},
    config::Backend,
    domain::{
        documents::{Document, Kind},
        jobs::{self, Job},
        organizations::Organization,
        storage::{Amount, Fault, Migration, ScrubRun, Usage},
    },
    hash::ContentHash,
    id::Id,
    web::{
        auth::Member,
        body::{Json, NoBody},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Storage")]
pub struct StorageView {
    /// Where new files go.
    backend: Home,
    /// Such as `s3://documents/portal`; `null` when no S3 is configured.
    s3: Option<String>,
    /// Whether the files there are this portal's to bring and to remove: not when they were there
    /// before it came, or belong to another one. `null` when that is not known yet, or no S3 is configured.
    is_ours: Option<bool>,
    /// What does not work, in a sentence; `null` when all is well.
    degraded: Option<String>,
    /// All files, each content once.
    kept: AmountView,
    /// On this machine, on their way to where files rest.
    waiting: AmountView,
    waiting_since: Option<Timestamp>,
    /// Every version, whoever has it, by organization.
    usage: Vec<UsageView>,
    /// The last reading of files again, or the one under way.
    scrub: Option<ScrubView>,
    next_scrub: Option<Timestamp>,
    /// Files without a good copy.
    faulty: Vec<FaultyView>,
    /// The last move of all files, or the one under way.
    migration: Option<MigrationView>,
    /// The last check since the portal started.
    check: Option<CheckView>,
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StorageHome")]
#[serde(rename_all = "snake_case")]
pub enum Home {
    Disk,
    S3,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Amount")]
struct AmountView {
    files: u64,
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StorageUsage")]
struct UsageView {
    organization: Id<Organization>,
    name: String,
    total: AmountView,
    kinds: Vec<KindView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KindUsage")]
struct KindView {
    kind: Kind,
    files: u64,
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Scrub")]
struct ScrubView {
    job: Id<Job>,
    started_at: Timestamp,
    /// `null` while it goes on, and when it was cancelled.
    finished_at: Option<Timestamp>,
    files: u64,
    files_wanted: u64,
    bytes: u64,
    healed: u64,
    faulty: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FaultyFile")]
struct FaultyView {
    sha256: ContentHash,
    filename: String,
    /// A sentence.
    fault: String,
    kind: FaultKind,
    found_at: Timestamp,
    /// The first few that have it.
    documents: Vec<Id<Document>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FaultKind {
    Missing,
    Damaged,
    Unreadable,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StorageMigration")]
struct MigrationView {
    job: Id<Job>,
    to: Home,
    remove_old: bool,
    started_at: Timestamp,
    /// `null` while it goes on, and when it was cancelled: then it can be begun again, and goes on.
    finished_at: Option<Timestamp>,
    copied: AmountView,
    /// Was there already.
    known: AmountView,
    removed: AmountView,
    /// Sentences, the first hundred.
    faults: Vec<String>,
    faults_total: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StorageCheck")]
pub struct CheckView {
    at: Timestamp,
    /// Whether everything that is needed works.
    works: bool,
    /// Empty when no S3 is configured.
    steps: Vec<StepView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StorageCheckStep")]
struct StepView {
    what: String,
    /// What Amazon's policies call it.
    permission: String,
    outcome: OutcomeName,
    /// What to do.
    advice: Option<String>,
    /// What S3 said.
    detail: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeName {
    Works,
    /// The portal works without it.
    Missing,
    Fails,
    /// An earlier step failed.
    Skipped,
}

/// How much to read again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrubForm {
    /// Of all files, 1 to 100; what was read longest ago comes first. All, when it is left out.
    #[serde(default = "all")]
    percent: u32,
}

fn all() -> u32 {
    100
}

/// Where to move all files.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrationForm {
    to: Home,
    /// Whether the old copies go once everything is copied; only where new files come too.
    #[serde(default)]
    remove_old: bool,
}

pub async fn show(app: Data<App>, member: Member) -> Result<Answer<StorageView>> {
    let actor = member.actor();
    let standing = app.storage_standing(&actor).await?;
    let usage = app.storage_usage(&actor).await?;
    Ok(Answer(StorageView::of(standing, &usage)))
}

pub async fn check(app: Data<App>, member: Member, _: NoBody) -> Result<Answer<CheckView>> {
    let check = app.check_storage(&member.actor()).await?;
    Ok(Answer(CheckView::of(&check)))
}

pub async fn claim(app: Data<App>, member: Member, _: NoBody) -> Result<HttpResponse> {
    app.claim_storage(member.actor()).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub async fn scrub(
    app: Data<App>,
    member: Member,
    Json(form): Json<ScrubForm>,
) -> Result<HttpResponse> {
    let job = app.begin_scrub(member.actor(), form.percent).await?;
    Ok(HttpResponse::Accepted().json(JobView::of(job)))
}

pub async fn migrate(
    app: Data<App>,
    member: Member,
    Json(form): Json<MigrationForm>,
) -> Result<HttpResponse> {
    let actor = member.actor();
    let begun = app.begin_migration(actor.clone(), form.to.into(), form.remove_old).await?;
    let job = app.store.read(move |tx| jobs::get(tx, &actor, begun.job)).await?;
    Ok(HttpResponse::Accepted().json(JobView::of(job)))
}

impl StorageView {
    fn of(standing: StorageStanding, usage: &Usage) -> Self {
        let status = &standing.status;
        StorageView {
            backend: status.backend.into(),
            s3: status.remote.as_ref().map(|remote| remote.name.clone()),
            is_ours: status.remote.as_ref().and_then(|remote| match &remote.ownership {
                Ownership::Unknown => None,
                known => Some(*known == Ownership::Ours),
            }),
            degraded: status.degraded(),
            kept: usage.kept.into(),
            waiting: AmountView { files: status.spooled.files, bytes: status.spooled.bytes },
            waiting_since: status.spooled_since,
            usage: UsageView::all(usage),
            check: standing.check.as_deref().map(CheckView::of),
            scrub: standing.scrub.run.map(ScrubView::of),
            next_scrub: standing.next_scrub,
            faulty: standing.scrub.faulty.into_iter().map(FaultyView::of).collect(),
            migration: standing.migration.map(MigrationView::of),
        }
    }
}

impl UsageView {
    fn all(usage: &Usage) -> Vec<Self> {
        let kind = |(kind, amount): &(Kind, Amount)| KindView {
            kind: *kind,
            files: amount.files,
            bytes: amount.bytes,
        };
        let organizations = usage.organizations.iter().map(|organization| UsageView {
            organization: organization.id,
            name: organization.name.clone(),
            total: organization.total.into(),
            kinds: organization.kinds.iter().map(kind).collect(),
        });
        organizations.collect()
    }
}

impl ScrubView {
    fn of(run: ScrubRun) -> Self {
        ScrubView {
            job: run.job,
            started_at: run.started_at,
            finished_at: run.finished_at,
            files: run.files,
            files_wanted: run.wanted,
            bytes: run.bytes,
            healed: run.healed,
            faulty: run.faulty,
        }
    }
}

impl FaultyView {
    fn of(file: FaultyFile) -> Self {
        FaultyView {
            fault: file.sentence(),
            sha256: file.fault.blob,
            kind: match file.fault.fault {
                Fault::Missing => FaultKind::Missing,
                Fault::Damaged => FaultKind::Damaged,
                Fault::Unreadable { .. } => FaultKind::Unreadable,
            },
            found_at: file.fault.found_at,
            documents: file.documents.into_iter().map(|(id, _)| id).collect(),
            filename: file.filename,
        }
    }
}

impl MigrationView {
    fn of(migration: Migration) -> Self {
        MigrationView {
            job: migration.job,
            to: migration.to.into(),
            remove_old: migration.removes_old,
            started_at: migration.started_at,
            finished_at: migration.finished_at,
            copied: migration.copied.into(),
            known: migration.known.into(),
            removed: migration.removed.into(),
            faults: migration.faults,
            faults_total: migration.faults_total,
        }
    }
}

impl CheckView {
    fn of(check: &StorageCheck) -> Self {
        let steps = check.steps.iter().map(StepView::of).collect();
        CheckView { at: check.at, works: check.failed() == 0, steps }
    }
}

impl StepView {
    fn of(step: &CheckStep) -> Self {
        let (outcome, advice, detail) = match &step.outcome {
            CheckOutcome::Works => (OutcomeName::Works, None, None),
            CheckOutcome::Skipped => (OutcomeName::Skipped, None, None),
            CheckOutcome::Missing(advice) => (OutcomeName::Missing, Some(advice.clone()), None),
            CheckOutcome::Fails { advice, detail } => {
                let detail = Some(detail.clone()).filter(|detail| !detail.is_empty());
                (OutcomeName::Fails, Some(advice.clone()), detail)
            }
        };
        StepView {
            what: step.what.to_string(),
            permission: step.permission.to_string(),
            outcome,
            advice,
            detail,
        }
    }
}

impl From<Amount> for AmountView {
    fn from(amount: Amount) -> Self {
        AmountView { files: amount.files, bytes: amount.bytes }
    }
}

impl From<Backend> for Home {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Disk => Home::Disk,
            Backend::S3 => Home::S3,
        }
    }
}

impl From<Home> for Backend {
    fn from(home: Home) -> Self {
        match home {
            Home::Disk => Backend::Disk,
            Home::S3 => Backend::S3,
        }
    }
}
