//! How long the disk lasts, and how backups stand: what a healthy portal runs into later.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{App, Finding, Reporter};
use crate::{
    config::Backend,
    domain::{backups, versions},
    error::Result,
    size::Size,
    space::{Room, space},
};

/// What was uploaded in so many days tells how it goes on.
const DAYS_LOOKED_AT: i64 = 30;
/// A disk that is full earlier needs somebody soon.
const DAYS_WARNED: u64 = 45;
/// Beyond ten years a number says nothing.
const DAYS_TOLD: u64 = 3_650;
/// What was found whole in this time is whole enough for a look; `check` looks at everything.
const CHECK_PATIENCE: Duration = Duration::from_secs(15);

impl App {
    /// When the disk will be full if uploads go on as in the last month.
    pub(super) async fn disk_forecast(&self) -> Result<Finding> {
        let about = "disk forecast";
        let remedy = "Empty the trash, remove old backups (appliance backup prune), enlarge the disk, \
                      or let files move to S3: [storage] in the configuration.";
        match self.reserve.room()? {
            Room::Critical => {
                let message =
                    "The disk is full: people can read, sign in and delete, and nothing else.";
                return Ok(Finding::problem(about, message, remedy));
            }
            Room::Low => {
                let message = "The disk is nearly full: uploads, backups and previews wait.";
                return Ok(Finding::problem(about, message, remedy));
            }
            Room::Enough => {}
        }
        let since = self.clock.now() - SignedDuration::from_hours(24 * DAYS_LOOKED_AT);
        let arrived_bytes = self.store.read(move |tx| versions::bytes_since(tx, since)).await?;
        if self.config.storage.backend == Backend::S3 {
            return Ok(Finding::fine(about, "Files go to S3, so the disk fills slowly."));
        }
        let space = space(&self.config.data)?;
        let left_bytes = space.free_bytes.saturating_sub(self.reserve.bytes());
        let daily_bytes = arrived_bytes / DAYS_LOOKED_AT as u64;
        let Some(days) = left_bytes.checked_div(daily_bytes) else {
            return Ok(Finding::fine(about, "Little was uploaded in the last 30 days."));
        };
        let pace = format!("{} came in the last 30 days", Size(arrived_bytes));
        Ok(match days {
            days if days <= DAYS_WARNED => Finding::warning(
                about,
                format!("{pace}: if it goes on like that, the disk is full in {days} days."),
                remedy,
            ),
            days if days <= DAYS_TOLD => {
                Finding::fine(about, format!("{pace}; the disk lasts {days} days more."))
            }
            _ => Finding::fine(about, format!("{pace}; the disk lasts for years.")),
        })
    }

    pub(super) async fn backup_finding(&self) -> Result<Finding> {
        let about = "backups";
        let standing = self.store.read(backups::standing).await?;
        if let Some(fault) = standing.faults.first() {
            let remedy = "Look at “appliance backup plan”, and make one now: appliance backup";
            return Ok(Finding::problem(about, fault, remedy));
        }
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        Ok(match (standing.is_on, standing.last_success) {
            (true, Some(last)) => {
                Finding::fine(about, format!("The last backup is of {}.", day(last)))
            }
            (true, None) => Finding::fine(about, "The first backup will come as planned."),
            (false, _) => Finding::warning(
                about,
                "No backups are made by themselves.",
                "Let them be, on another disk or S3: appliance backup plan --on --to PLACE",
            ),
        })
    }

    /// Whether records, files and the search index fit together, as far as a short look tells.
    pub(super) async fn consistency_finding(self: &Arc<Self>) -> Result<Finding> {
        let about = "consistency";
        let unheard = Reporter::unheard();
        let look = self.check(false, &unheard);
        Ok(match tokio::time::timeout(CHECK_PATIENCE, look).await {
            Ok(report) => match report?.damages_total {
                0 => Finding::fine(about, "Records, files and the search index fit together."),
                damages => Finding::problem(
                    about,
                    format!("Records, files and the search index disagree in {damages} places."),
                    "See where, and what to do: appliance check",
                ),
            },
            Err(_) => Finding::fine(
                about,
                "The library is too large for a short look; “appliance check” looks at all of it.",
            ),
        })
    }
}
