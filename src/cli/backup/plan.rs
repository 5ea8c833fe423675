//! `appliance backup plan`: when backups are made, where to, and how long they stay.

use clap::Args;

use super::{push_damages, whole};
use crate::{
    app::PlanView,
    backup::{Lock, Passphrase},
    cli::{
        Exit, Failure, Shell,
        ask::unexpected,
        keys::Locking,
        output::{self, Color, colored},
        service,
    },
    control::{Reply, Request},
    domain::backups::{Plan, schedule},
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Turn it on, with what is given here and what was set before
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Turn it off
    #[arg(long)]
    off: bool,
    /// A repository: a folder or s3://bucket/prefix; “archives” for the folder of archives
    #[arg(long, value_name = "REPOSITORY")]
    to: Option<String>,
    /// Hours between two backups
    #[arg(long, value_name = "N")]
    every_hours: Option<u32>,
    /// The time of day (UTC) of the first one, such as 03:00
    #[arg(long, value_name = "HH:MM")]
    at: Option<String>,
    /// When by a cron line, such as "30 2 * * 1-5", instead of hours and a time of day; "" for these
    #[arg(long, value_name = "LINE", conflicts_with_all = ["every_hours", "at"])]
    cron: Option<String>,
    /// Seconds between two shipments of changes to the repository; 0 ships none
    #[arg(long, value_name = "N")]
    ship_every_seconds: Option<u32>,
    /// Days between two rehearsals of a restore; 0 makes none
    #[arg(long, value_name = "N")]
    drill_every_days: Option<u32>,
    /// How many of the last backups stay
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// For how many days one stays
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// For how many weeks
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// For how many months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
    #[command(flatten)]
    locking: Locking,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    if let Some(place) = arguments.to.as_deref().map(repository).transpose()?.flatten() {
        service::must_reach(shell, &place)?;
    }
    let mut view = ask(shell, Request::BackupPlan)?;
    if let Some(plan) = arguments.changed(&view.plan)? {
        view = ask(shell, Request::SetBackupPlan(Box::new(plan)))?;
    }
    match arguments.json {
        true => output::print_json(&view.clone().without_secrets())?,
        false => output::print(&shown(&view))?,
    }
    Ok(if view.standing.faults.is_empty() { Exit::Done } else { Exit::Partly })
}

fn ask(shell: &Shell, request: Request) -> Result<PlanView, Failure> {
    match shell.ask(request)? {
        Reply::BackupPlan(view) => Ok(*view),
        other => Err(unexpected(&other)),
    }
}

/// Where backups go by a word of `--to`; `None` is the folder of archives.
fn repository(to: &str) -> Result<Option<String>, Failure> {
    if to == "archives" { Ok(None) } else { Ok(Some(whole(to)?)) }
}

impl Arguments {
    /// The plan as it should be; `None` when nothing was said.
    fn changed(&self, old: &Plan) -> Result<Option<Plan>, Failure> {
        let mut plan = old.clone();
        plan.is_on = (plan.is_on || self.on) && !self.off;
        plan.is_held &= !self.on && !self.off;
        if let Some(to) = &self.to {
            plan.repository = repository(to)?;
        }
        if let Some(at) = &self.at {
            plan.minute_of_day = schedule::minute_of_day(at)?;
        }
        if let Some(line) = &self.cron {
            plan.cron = line.trim().into();
        } else if self.at.is_some() || self.every_hours.is_some() {
            plan.cron.clear();
        }
        let numbers = [
            (&mut plan.every_hours, self.every_hours),
            (&mut plan.ship_every_seconds, self.ship_every_seconds),
            (&mut plan.drill_every_days, self.drill_every_days),
            (&mut plan.keep_last, self.keep_last),
            (&mut plan.keep_daily, self.keep_daily),
            (&mut plan.keep_weekly, self.keep_weekly),
            (&mut plan.keep_monthly, self.keep_monthly),
        ];
        for (number, wanted) in numbers {
            *number = wanted.unwrap_or(*number);
        }
        match self.locking.lock()? {
            Lock::Open => {}
            Lock::Recipients(keys) => (plan.recipients, plan.passphrase) = (keys, String::new()),
            Lock::Passphrase(Passphrase(text)) => {
                (plan.recipients, plan.passphrase) = (Vec::new(), text);
            }
        }
        let json = |plan: &Plan| serde_json::to_vec(plan).map_err(anyhow::Error::from);
        Ok((json(&plan)? != json(old)?).then_some(plan))
    }
}

fn shown(view: &PlanView) -> String {
    let (plan, standing) = (&view.plan, &view.standing);
    let state =
        if plan.is_on { colored("on", Color::Green) } else { colored("off", Color::Yellow) };
    let moment = |at: Option<jiff::Timestamp>| at.map_or("never".into(), output::minute);
    let encryption = match (plan.passphrase.is_empty(), plan.recipients.len()) {
        (false, _) => "by a passphrase".into(),
        (true, 0) => "none: whoever can read the place has everything".into(),
        (true, count) => format!("to {count} public keys"),
    };
    let mut text = format!(
        "plan        {state}\nplace       {}\nwhen        {}\nkeeps       \
         {} last, {} daily, {} weekly, {} monthly\nencryption  {encryption}\n",
        view.place,
        schedule::shown(plan),
        plan.keep_last,
        plan.keep_daily,
        plan.keep_weekly,
        plan.keep_monthly,
    );
    if plan.ship_every_seconds > 0 {
        text.push_str(&format!("changes     shipped every {} s\n", plan.ship_every_seconds));
    }
    text.push_str(&format!(
        "last good   {}\nnext        {}\nlast drill  {}\n",
        moment(standing.last_success),
        moment(standing.next_run),
        moment(standing.last_drill),
    ));
    if plan.drill_every_days > 0 && !plan.can_be_rehearsed() {
        text.push_str(
            "Nothing is rehearsed by itself: only the owner of a secret key can open these backups. By \
             hand: appliance backup drill --identity-file FILE\n",
        );
    }
    push_damages(&mut text, &standing.faults);
    text
}
