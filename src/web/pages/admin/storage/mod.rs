//! Where files rest: the bucket or the disk, what waits, whose files take the room, the check of S3,
//! reading everything again, and moving house.

pub mod acts;
mod shown;

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{Sidebar, dashboard::HealthCheck};
use crate::{
    app::App,
    web::{
        auth::Member,
        fault::Result,
        pages::{Html, Moment, Page, Place, filters, page},
    },
};

/// `GET /admin/storage`. Acts post to `/admin/storage/check`, `/claim`, `/scrub` and `/migrate` (`to` = `s3` or
/// `disk`, `remove_old` = `1`); what is under way is cancelled as a job.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/storage/index.html")]
pub struct StoragePage {
    pub page: Page,
    pub sidebar: Sidebar,
    /// What does not work, in a sentence.
    pub degraded: Option<String>,
    /// `s3://documents/portal`, or this machine's disk.
    pub home: String,
    pub is_on_s3: bool,
    /// Nothing is removed from the bucket: it may be another portal's.
    /// Why the files in the bucket are not this portal's, and what to do.
    pub disowned: Option<String>,
    /// Each content once.
    pub kept: Counted,
    pub spool: Spool,
    /// `None` when no S3 is configured.
    pub remote: Option<[Direction; 2]>,
    pub cache: Option<Cache>,
    pub check: Option<CheckShown>,
    pub usage: Vec<UsageRow>,
    pub work: StorageWork,
}

/// `GET /admin/storage/work`: what is under way, asked for as long as it is.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/storage/work.html")]
pub struct StorageWorkFragment {
    /// For the token in the forms.
    pub page: Page,
    pub work: StorageWork,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    pub files: u64,
    pub bytes: u64,
}

/// What waits on this machine for its move.
#[derive(Clone, Debug)]
pub struct Spool {
    pub waiting: Counted,
    pub since: Option<Moment>,
    /// How much may wait while S3 is away.
    pub bytes_max: u64,
}

/// Whether requests of one kind get through.
#[derive(Clone, Debug)]
pub struct Direction {
    /// `Reading`, `Writing`.
    pub name: &'static str,
    pub broken_since: Option<Moment>,
    /// The last that went wrong, also when all is well now.
    pub last_error: Option<(Moment, String)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Cache {
    pub used: Counted,
    pub bytes_max: u64,
}

#[derive(Clone, Debug)]
pub struct CheckShown {
    pub at: Moment,
    pub steps: Vec<HealthCheck>,
}

/// An organization, or one kind of its documents.
#[derive(Clone, Debug)]
pub struct UsageRow {
    pub name: String,
    pub is_total: bool,
    pub versions: Counted,
}

/// Reading again, and moving.
#[derive(Clone, Debug)]
pub struct StorageWork {
    pub scrub: ScrubShown,
    /// `None` when there is nowhere to move to.
    pub migration: Option<MigrationShown>,
}

#[derive(Clone, Debug)]
pub struct ScrubShown {
    pub under_way: Option<UnderWay>,
    pub last: Option<LastScrub>,
    pub next: Option<Moment>,
    /// Each file within so many days; 0 is never.
    pub days: u32,
    pub faulty: Vec<FaultyRow>,
}

#[derive(Clone, Debug)]
pub struct LastScrub {
    pub started: Moment,
    pub was_stopped: bool,
    pub read: Counted,
    pub healed: u64,
    pub faulty: u64,
}

/// A file without a good copy.
#[derive(Clone, Debug)]
pub struct FaultyRow {
    pub sentence: String,
    /// Address and title.
    pub documents: Vec<(String, String)>,
    pub found: Moment,
}

#[derive(Clone, Debug)]
pub struct MigrationShown {
    pub under_way: Option<UnderWay>,
    pub last: Option<LastMigration>,
    /// `the disk` or `S3`: where nothing new comes, and old copies may go.
    pub old_home: &'static str,
    /// `s3` or `disk`: where new files go.
    pub to_home: &'static str,
}

#[derive(Clone, Debug)]
pub struct LastMigration {
    pub started: Moment,
    pub was_stopped: bool,
    pub to: &'static str,
    pub copied: Counted,
    pub known: Counted,
    pub removed: Option<Counted>,
    pub faults: Vec<String>,
    pub faults_unnamed: u64,
}

/// A job that has not ended.
#[derive(Clone, Debug)]
pub struct UnderWay {
    pub job: String,
    pub percent: Option<u32>,
    /// Why it waits, when it does.
    pub waits: Option<String>,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
) -> Result<Html<StoragePage>> {
    let actor = member.actor();
    let standing = app.storage_standing(&actor).await?;
    let usage = app.storage_usage(&actor).await?;
    let now = app.clock.now();
    let status = &standing.status;
    Ok(Html(StoragePage {
        page: page(&request, &member.visitor, Place::Storage).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        degraded: status.outage(),
        home: shown::home(&standing),
        is_on_s3: standing.is_on_s3(),
        disowned: status.disowned().map(|(sentence, remedy)| format!("{sentence} {remedy}")),
        kept: Counted { files: usage.kept.files, bytes: usage.kept.bytes },
        spool: shown::spool(status, now),
        remote: shown::remote(status, now),
        cache: shown::cache(status),
        check: standing.check.as_deref().map(|check| shown::check(check, now)),
        usage: shown::usage(&usage),
        work: shown::work(&app, standing, now),
    }))
}

pub async fn work(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
) -> Result<Html<StorageWorkFragment>> {
    let standing = app.storage_standing(&member.actor()).await?;
    Ok(Html(StorageWorkFragment {
        page: page(&request, &member.visitor, Place::Storage).await?,
        work: shown::work(&app, standing, app.clock.now()),
    }))
}
