//! How the program and its machine are, and the last lines of the log.

mod shown;

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::Deserialize;

use super::{Sidebar, dashboard::HealthCheck};
use crate::{
    app::App,
    log_tail::{LogLevel, LogLine, LogWanted},
    web::{
        auth::Member,
        body::Query,
        fault::Result,
        pages::{Choice, Html, Moment, Page, Place, Tone, filters, format, page},
    },
};

/// `GET /admin/system` with `level` (`error`, `warn`) and `text` for the log.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/system.html")]
pub struct SystemPage {
    pub page: Page,
    pub sidebar: Sidebar,
    /// What each part says of itself.
    pub parts: Vec<HealthCheck>,
    pub facts: Vec<FactGroup>,
    pub disk: Disk,
    pub levels: Vec<Choice>,
    pub text: String,
    pub is_filtered: bool,
    /// The latest first.
    pub lines: Vec<LogRow>,
}

/// A card with a name for each thing.
#[derive(Clone, Debug)]
pub struct FactGroup {
    pub id: &'static str,
    pub title: &'static str,
    pub facts: Vec<(&'static str, Fact)>,
}

#[derive(Clone, Debug)]
pub enum Fact {
    Text(String),
    At(Moment),
}

/// What is used and free, and where the meter warns.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub used_bytes: u64,
    pub free_bytes: u64,
    pub reserve_bytes: u64,
    pub total_bytes: u64,
    /// From here on the reserve is touched.
    pub high_bytes: u64,
    /// From here on half of it is gone.
    pub critical_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct LogRow {
    /// `21 Nov 2026`.
    pub day: String,
    /// `12:00:03`, in UTC.
    pub clock: String,
    pub tone: Tone,
    /// `error`, `warn`, `info`, `debug`.
    pub level: &'static str,
    pub target: String,
    pub text: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SystemAddress {
    level: String,
    text: String,
}

const LINES: usize = 200;

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<SystemAddress>,
) -> Result<Html<SystemPage>> {
    let actor = member.actor();
    let system = app.system(&actor).await?;
    let level = LogLevel::by_name(&wanted.level);
    let lines =
        app.log_lines(&actor, LogWanted { level, text: wanted.text.clone(), limit: LINES })?;
    let now = app.clock.now();
    Ok(Html(SystemPage {
        page: page(&request, &member.visitor, Place::System).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        parts: shown::parts(&system),
        facts: shown::facts(&system, now),
        disk: shown::disk(&system),
        levels: levels(level),
        is_filtered: level.is_some() || !wanted.text.is_empty(),
        text: wanted.text,
        lines: lines.into_iter().map(row).collect(),
    }))
}

fn levels(chosen: Option<LogLevel>) -> Vec<Choice> {
    let named = [(LogLevel::Warning, "Warnings"), (LogLevel::Error, "Errors only")]
        .map(|(level, label)| Choice::new(level.name(), label, chosen == Some(level)));
    std::iter::once(Choice::new("", "Everything", chosen.is_none())).chain(named).collect()
}

fn row(line: LogLine) -> LogRow {
    LogRow {
        day: format::date(line.at),
        clock: line.at.strftime("%H:%M:%S").to_string(),
        tone: match line.level {
            LogLevel::Error => Tone::Bad,
            LogLevel::Warning => Tone::Warning,
            LogLevel::Info | LogLevel::Debug => Tone::Plain,
        },
        level: line.level.name(),
        target: line.target,
        text: line.text,
    }
}
