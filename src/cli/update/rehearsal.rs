//! The rehearsal: the new program opens a copy of the records, converts and checks them, and answers,
//! in a cage from which it reaches neither the real data nor anybody else.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    records,
    versions::{Program, cage, last_line},
};
use crate::{
    app::{App, Changeover, Report, Reporter},
    blocking::blocking,
    cli::{
        Exit, Failure, Shell,
        ask::{runtime, show},
        output, visits,
    },
    clock::Clock,
    config::{Config, StorageConfig},
    control::{AskError, Reply, Request, ask},
    error::{Error, Result},
    host::{places::DATA, systemd},
    size::Size,
    space,
    web::{self, Door},
};

/// The service itself is given a quarter of an hour for its start.
const SECONDS_MAX: u64 = 600;
/// The copy, what converting it adds, and the records that are kept during the exchange.
const COPIES: u64 = 3;
const RESERVE_BYTES: u64 = 64 << 20;
/// More would only hide what is wrong.
const DAMAGES_SHOWN: usize = 5;

/// What the new program found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rehearsed {
    pub records: u64,
    /// Sentences.
    pub damages: Vec<String>,
    /// How many there are in all.
    pub damages_total: u64,
    /// From the opening of the data to the first answer.
    pub start_ms: u64,
}

/// How much the rehearsal needs; an error when there is no room for it.
pub fn check_room() -> Result<u64> {
    let database = Changeover::of(Path::new(DATA)).database();
    let size = database.metadata().context("looking at the records")?.len();
    space::require(Path::new(DATA), size * COPIES, RESERVE_BYTES)?;
    Ok(size)
}

/// Has a program rehearse its start. The answer comes when it would do.
///
/// # Errors
/// With its own words, when it would not.
pub fn rehearse(program: &Program) -> Result<Rehearsed, Failure> {
    records::prepare_rehearsal()?;
    let rehearsed = copy().and_then(|()| try_rehearse(program));
    let ended = records::end_rehearsal();
    let rehearsed = rehearsed?;
    ended?;
    let known = match rehearsed.damages_total {
        0 => 0,
        _ => known_damages()?,
    };
    if rehearsed.damages_total > known {
        let shown: Vec<&str> =
            rehearsed.damages.iter().take(DAMAGES_SHOWN).map(String::as_str).collect();
        return Err(failed(format!(
            "it finds {} in a copy of the records: {}",
            output::counted(rehearsed.damages_total, "damage", "damages"),
            shown.join(" ")
        )));
    }
    Ok(rehearsed)
}

fn failed(why: String) -> Failure {
    let end = if why.ends_with(['.', '?', '!']) { "" } else { "." };
    Failure::from(Error::conflict(format!(
        "The rehearsal failed: {why}{end} Nothing was changed. The version that runs goes on."
    )))
}

/// The running portal copies its records; one that does not run has them at rest.
fn copy() -> Result<(), Failure> {
    let data = Path::new(DATA);
    let to = Changeover::of(data).rehearsal().join(App::DATABASE);
    let request = Request::CopyRecords { to: to.clone() };
    match asked(&request)? {
        Some(_) => Ok(()),
        None => Ok(records::copy_at_rest(&to)?),
    }
}

/// Asks the running portal, with a bar.
pub fn asked(request: &Request) -> Result<Option<Reply>, Failure> {
    runtime()?.block_on(async {
        let (reporter, steps) = Reporter::new();
        let bar = tokio::spawn(show(steps));
        let reply = ask(Path::new(DATA), request, &reporter).await;
        drop(reporter);
        let _drawn = tokio::time::timeout(Duration::from_secs(1), bar).await;
        match reply {
            Ok(reply) => Ok(reply),
            // One that hangs has the data open: only its end helps.
            Err(AskError::Silent) => Err(Failure::in_use(
                "The portal does not answer. Restart it, or stop it: then the update is made at rest.",
            )),
            Err(AskError::Failed(error)) => Err(error.into()),
        }
    })
}

fn try_rehearse(program: &Program) -> Result<Rehearsed, Failure> {
    let changeover = Changeover::of(Path::new(DATA));
    let folder = changeover.rehearsal().display().to_string();
    let cage = cage(Some(changeover.folder()), SECONDS_MAX);
    let begin = Instant::now();
    let ended =
        systemd::run_caged(&cage, &program.file(), &["changeover", "rehearse", "--data", &folder])?;
    if ended.is_success {
        return serde_json::from_str(&ended.out).map_err(|_| {
            failed("the new version gives an answer that this one does not understand".into())
        });
    }
    match begin.elapsed() >= Duration::from_secs(SECONDS_MAX) {
        true => {
            Err(failed(format!("the new version was not ready after {} minutes", SECONDS_MAX / 60)))
        }
        false => Err(failed(format!("the new version says: {}", last_line(&ended.err)))),
    }
}

/// What the version that runs finds: damages that were there before are no reason against the new one.
fn known_damages() -> Result<u64, Failure> {
    let report = match asked(&Request::Check { deep: false })? {
        Some(Reply::Checked(report)) => report,
        _ => return Ok(0),
    };
    let is_record = |part: &str| part == "records" || part == "changes";
    Ok(report.damages.iter().filter(|damage| is_record(&damage.part)).count() as u64)
}

/// The other side: what the new program does with the copy.
pub fn run(shell: &Shell) -> Result<Exit, Failure> {
    let rehearsed = runtime()?.block_on(start(shell.config.clone()))?;
    output::print_json(&rehearsed)?;
    Ok(Exit::Done)
}

async fn start(config: Config) -> Result<Rehearsed, Failure> {
    // The files are not here, and those on S3 are nothing for a rehearsal.
    let config = Config { storage: StorageConfig::default(), listen_https: None, ..config };
    let size = config.data.join(App::DATABASE).metadata();
    let size = size.context("looking at the copy of the records")?.len();
    let begin = Instant::now();
    let app = blocking(move || App::open(config, Clock::system())).await?;
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
    let address = door.local_addr().context("listening")?;
    let (server, web) = web::serve(app.clone(), vec![Door::plain(door)])?;
    let server = tokio::spawn(server);
    for path in ["readyz", "sign-in"] {
        let visited = visits::visit(&format!("http://{address}/{path}")).await;
        let code = visited.with_context(|| format!("asking for /{path}"))?;
        if code >= 500 {
            let sentence = format!("With {} of records /{path} answers with {code}.", Size(size));
            return Err(Failure::from(Error::conflict(sentence)));
        }
    }
    let start_ms = begin.elapsed().as_millis() as u64;
    let Report { records, damages, damages_total, .. } =
        app.check_records(&Reporter::unheard()).await;
    web.stop().await;
    server.abort();
    let damages = damages.into_iter().map(|damage| damage.what).take(100).collect();
    tracing::info!(at = %Timestamp::now(), "the rehearsal is over");
    Ok(Rehearsed { records, damages, damages_total, start_ms })
}
