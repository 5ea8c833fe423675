//! `appliance status`: does the portal run, and how is it?

use clap::Args;

use super::{Exit, Failure, Shell, ask::runtime, output};
use crate::{
    app::Reporter,
    control::{AskError, Reply, Request, Status, ask},
    error::Error,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let data = &shell.config.data;
    let status = runtime()?.block_on(of_server(shell))?;
    let Some(status) = status else {
        return Err(Failure::from(Error::NotFound(format!(
            "No portal is running on {}. Start it with “appliance serve”.",
            data.display()
        ))));
    };
    match arguments.json {
        true => output::print_json(&status)?,
        false => output::print(&shown(&status))?,
    }
    Ok(Exit::Done)
}

/// What the server that runs on the data folder says of itself; `None` when none runs.
pub async fn of_server(shell: &Shell) -> Result<Option<Status>, Failure> {
    match ask(&shell.config.data, &Request::Status, &Reporter::unheard()).await {
        Ok(Some(Reply::Status(status))) => Ok(Some(status)),
        Ok(Some(other)) => Err(super::ask::unexpected(&other)),
        Ok(None) => Ok(None),
        Err(AskError::Silent) => Err(Failure::in_use(format!(
            "A server runs on {} and does not answer. Look at its log, or restart it.",
            shell.config.data.display()
        ))),
        Err(AskError::Failed(error)) => Err(error.into()),
    }
}

fn shown(status: &Status) -> String {
    let mut jobs = format!("{} running, {} waiting", status.jobs_running, status.jobs_waiting);
    if status.jobs_failed > 0 {
        jobs.push_str(&format!(", {} failed", status.jobs_failed));
    }
    let index = match status.index_behind {
        0 => "up to date".into(),
        behind => format!("{behind} changes behind"),
    };
    let people = match status.is_set_up {
        true => status.people.to_string(),
        false => format!("{}, and nobody administers the portal yet", status.people),
    };
    format!(
        "running   {} (process {}, version {})\nsince     {}\npeople    {people}\njobs      {jobs}\n\
         index     {index}\n",
        status.url,
        status.pid,
        status.version,
        output::minute(status.started_at),
    )
}
