//! The form of the plan: what `appliance backup plan` sets. A passphrase is never shown, and stays
//! unless another is typed.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;

use super::shown;
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        backups::{self, Plan, schedule},
    },
    error::{Error, Result as DomainResult},
    together::together,
    web::{auth::Member, body::Form, fault::Result, pages::Go},
};

/// As it was typed, so that what is wrong can be corrected.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PlanForm {
    pub is_on: String,
    /// `archives` or `repository`.
    pub target: String,
    pub repository: String,
    pub every_hours: String,
    /// `03:00`, UTC.
    pub at: String,
    /// Counts instead of the two above when it is not empty.
    pub cron: String,
    pub keep_last: String,
    pub keep_daily: String,
    pub keep_weekly: String,
    pub keep_monthly: String,
    /// `none`, `recipients` or `passphrase`.
    pub encryption: String,
    /// One public key in each line.
    pub recipients: String,
    pub passphrase: String,
    pub ship_every_seconds: String,
    pub drill_every_days: String,
}

impl PlanForm {
    pub fn of(plan: &Plan) -> Self {
        let word = |is_so: bool, word: &str| if is_so { word.to_owned() } else { String::new() };
        PlanForm {
            is_on: word(plan.is_on, "1"),
            target: if plan.repository.is_some() { "repository" } else { "archives" }.into(),
            repository: plan.repository.clone().unwrap_or_default(),
            every_hours: plan.every_hours.to_string(),
            at: format!("{:02}:{:02}", plan.minute_of_day / 60, plan.minute_of_day % 60),
            cron: plan.cron.clone(),
            keep_last: plan.keep_last.to_string(),
            keep_daily: plan.keep_daily.to_string(),
            keep_weekly: plan.keep_weekly.to_string(),
            keep_monthly: plan.keep_monthly.to_string(),
            encryption: match (plan.passphrase.is_empty(), plan.recipients.is_empty()) {
                (false, _) => "passphrase",
                (true, false) => "recipients",
                (true, true) => "none",
            }
            .into(),
            recipients: plan.recipients.join("\n"),
            passphrase: String::new(),
            ship_every_seconds: plan.ship_every_seconds.to_string(),
            drill_every_days: plan.drill_every_days.to_string(),
        }
    }

    fn plan(&self, old: &Plan) -> DomainResult<Plan> {
        let times = together((
            number("every_hours", &self.every_hours),
            schedule::minute_of_day(&self.at),
            number("ship_every_seconds", &self.ship_every_seconds),
            number("drill_every_days", &self.drill_every_days),
        ));
        let kept = together((
            number("keep_last", &self.keep_last),
            number("keep_daily", &self.keep_daily),
            number("keep_weekly", &self.keep_weekly),
            number("keep_monthly", &self.keep_monthly),
        ));
        let (repository, times, kept, secrets) =
            together((self.place(), times, kept, self.secrets(old)))?;
        let (every_hours, minute_of_day, ship_every_seconds, drill_every_days) = times;
        let (keep_last, keep_daily, keep_weekly, keep_monthly) = kept;
        let (recipients, passphrase) = secrets;
        Ok(Plan {
            is_on: self.is_on == "1",
            repository,
            every_hours,
            minute_of_day,
            cron: self.cron.trim().into(),
            keep_last,
            keep_daily,
            keep_weekly,
            keep_monthly,
            recipients,
            passphrase,
            ship_every_seconds,
            drill_every_days,
            ..old.clone()
        })
    }

    /// The repository; `None` for archives.
    fn place(&self) -> DomainResult<Option<String>> {
        match self.target.as_str() {
            "repository" if self.repository.trim().is_empty() => Err(Error::invalid_field(
                "repository",
                "Name a folder of the server, such as /srv/backups, or s3://bucket/prefix.",
            )),
            "repository" => Ok(Some(self.repository.trim().to_owned())),
            _ => Ok(None),
        }
    }

    /// The public keys and the passphrase; one of them, or none.
    fn secrets(&self, old: &Plan) -> DomainResult<(Vec<String>, String)> {
        let (recipients, passphrase) = match self.encryption.as_str() {
            "recipients" => {
                let keys = self.recipients.split_whitespace().map(str::to_owned).collect();
                (keys, String::new())
            }
            "passphrase" if self.passphrase.is_empty() => (Vec::new(), old.passphrase.clone()),
            "passphrase" => (Vec::new(), self.passphrase.clone()),
            _ => (Vec::new(), String::new()),
        };
        if self.encryption != "none" && recipients.is_empty() && passphrase.is_empty() {
            let (field, sentence) = match self.encryption.as_str() {
                "recipients" => ("recipients", "Give at least one public key of age (age1…)."),
                _ => ("passphrase", "Give a passphrase of at least 12 characters."),
            };
            return Err(Error::invalid_field(field, sentence));
        }
        Ok((recipients, passphrase))
    }
}

pub async fn submit_plan(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<PlanForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Operate)?;
    match save(&app, &member, &form).await {
        Ok(plan) => {
            let said = match plan.is_on {
                true => "The plan is saved. Backups are made by it from now on.",
                false => "The plan is saved, and switched off.",
            };
            Ok(Go::to("/admin/backups").saying(said).response())
        }
        Err(error) => {
            // What is secret is typed again.
            let form = PlanForm { passphrase: String::new(), ..form };
            shown(&app, &request, &member, form, Err(error)).await
        }
    }
}

async fn save(app: &App, member: &Member, form: &PlanForm) -> DomainResult<Plan> {
    let old = app.store.read(backups::plan).await?;
    let plan = form.plan(&old)?;
    app.check_backup_plan(&plan)?;
    app.write_as(member.actor(), move |tx, actor| backups::set_plan(tx, actor, plan)).await
}

fn number(field: &'static str, text: &str) -> DomainResult<u32> {
    let wrong = |_| Error::invalid_field(field, "This must be a whole number.");
    text.trim().parse().map_err(wrong)
}
