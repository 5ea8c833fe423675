//! The first page of the administration: is everything all right, and what has happened?

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use askama::Template;

use super::{
    Sidebar,
    events::{self as event_rows, EventRow},
    jobs::{self as job_rows, JobRow},
};
use crate::{
    app::{self, App, Finding, Level},
    config::Backend,
    domain::{
        access::{Action, decide},
        events::{self, Filter},
        jobs::{self, State},
    },
    web::{
        auth::Member,
        fault::Result,
        pages::{Go, Html, Moment, Page, Place, Tone, filters, page},
    },
};

/// `GET /admin/`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/dashboard.html")]
pub struct DashboardPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub documents: u64,
    pub documents_new_this_month: u64,
    pub people: u64,
    pub people_active_this_week: u64,
    pub jobs_waiting: u64,
    pub jobs_failed: u64,
    pub storage: Storage,
    pub health: Vec<HealthCheck>,
    /// The latest that failed or are running.
    pub jobs: Vec<JobRow>,
    pub activity: Vec<EventRow>,
    pub version: String,
    pub running_since: Moment,
}

/// Where the bytes are.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    pub used_bytes: u64,
    /// What the file system still takes.
    pub free_bytes: u64,
    pub parts: Vec<StoragePart>,
}

impl Storage {
    pub fn total_bytes(&self) -> u64 {
        self.used_bytes.saturating_add(self.free_bytes).max(1)
    }

    /// From here on the meter warns: 75 % of the whole.
    pub fn high_bytes(&self) -> u64 {
        self.total_bytes() / 4 * 3
    }

    /// From here on it is serious: 90 %.
    pub fn critical_bytes(&self) -> u64 {
        self.total_bytes() / 10 * 9
    }
}

/// `Files`, `Search index`, `Records`.
#[derive(Clone, Debug)]
pub struct StoragePart {
    pub label: String,
    pub size_bytes: u64,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// `Search index`.
    pub name: String,
    pub tone: Tone,
    /// `Up to date`, or what is wrong and what to do.
    pub detail: String,
}

const EVENTS_SHOWN: usize = 10;
const JOBS_SHOWN: usize = 5;

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Curate(member.organization))?;
    if !member.may(Action::Govern(member.organization)) {
        // Managers keep documents; the rest of this page is not for them.
        return Ok(Go::to("/admin/documents").response());
    }
    let (actor, organization) = (member.actor(), member.organization);
    let statistics = app.statistics(member.actor()).await?;
    let (people, people_active_this_week) = app.count_users(member.actor()).await?;
    let filter = Filter::default();
    let (activity, _) = app
        .store
        .read(move |tx| events::list(tx, &actor, organization, &filter, EVENTS_SHOWN))
        .await?;
    let operation = match member.may(Action::Operate) {
        true => Operation::look(&app, &member).await?,
        false => Operation::default(),
    };
    let now = app.clock.now();
    Html(DashboardPage {
        page: page(&request, &member.visitor, Place::Dashboard).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        documents: statistics.documents,
        documents_new_this_month: statistics.new_this_month,
        people,
        people_active_this_week,
        jobs_waiting: operation.waiting,
        jobs_failed: operation.failed,
        storage: operation.storage,
        health: operation.health,
        jobs: operation.jobs,
        activity: activity.into_iter().map(|event| event_rows::row(event, now)).collect(),
        version: crate::version::number().into(),
        running_since: Moment::new(app.started_at, now),
    })
    .with_status(StatusCode::OK)
}

/// How the machine does, for who operates it.
#[derive(Default)]
struct Operation {
    waiting: u64,
    failed: u64,
    storage: Storage,
    health: Vec<HealthCheck>,
    jobs: Vec<JobRow>,
}

impl Operation {
    async fn look(app: &Arc<App>, member: &Member) -> Result<Self> {
        let (waiting, failed) = app
            .store
            .read(|tx| Ok((jobs::count(tx, State::Queued)?, jobs::count(tx, State::Failed)?)))
            .await?;
        let now = app.clock.now();
        let mut rows = Vec::new();
        for state in [State::Failed, State::Running] {
            let (work, _) =
                app.work(member.actor(), Some(state), None, JOBS_SHOWN - rows.len()).await?;
            rows.extend(work.into_iter().map(|work| job_rows::row(work, now)));
        }
        Ok(Operation {
            waiting,
            failed,
            storage: storage(app.storage(&member.actor()).await?, app.config.storage.backend),
            health: app.doctor(true).await?.into_iter().map(check).collect(),
            jobs: rows,
        })
    }
}

fn storage(found: app::Storage, backend: Backend) -> Storage {
    let part = |label: &str, size_bytes| StoragePart { label: label.into(), size_bytes };
    let parts = vec![
        // Those on S3 take no room here.
        part(
            if backend == Backend::S3 { "Files on this machine" } else { "Files" },
            found.files_bytes,
        ),
        part("Texts and previews", found.derived_bytes),
        part("Search index", found.index_bytes),
        part("Records", found.records_bytes),
    ];
    let used_bytes = parts.iter().map(|part| part.size_bytes).sum();
    Storage { used_bytes, free_bytes: found.free_bytes, parts }
}

fn check(finding: Finding) -> HealthCheck {
    let mut letters = finding.about.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    let remedy = finding.remedy.map(|remedy| format!(" {remedy}")).unwrap_or_default();
    HealthCheck {
        name: format!("{}{}", first.unwrap_or_default(), letters.as_str()),
        tone: match finding.level {
            Level::Fine => Tone::Good,
            Level::Warning => Tone::Warning,
            Level::Problem => Tone::Bad,
        },
        detail: format!("{}{remedy}", finding.message),
    }
}
