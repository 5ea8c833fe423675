//! The rehearsal: the new program opens a copy of the records, converts and checks them, and answers.
//!
//! Until then nobody knows what it does, so it does it in a [`Cage`]: as a user of its own, whom the
//! group of the portal lets into the folder with the copy; the real data, the socket of the running
//! portal and every network are not there for it, and its memory, time and output have limits. It may
//! read the configuration and the variables of the service, so that one which does not understand them
//! is found out here; there is nobody to whom it could tell them. What it leaves is removed by root,
//! by descriptors.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{
    ground::Ground,
    records::Step,
    versions::{Program, last_line},
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
    host::{
        folders,
        places::{DATA, ENVIRONMENT_FILE, USER},
        systemd::{self, Cage},
    },
    size::Size,
    space,
    web::{self, Door},
};

/// The service itself is given a quarter of an hour for its start.
const SECONDS_MAX: u64 = 600;
/// The copy, what converting it adds, and the records that are kept during the exchange.
const COPIES: u64 = 3;
const RESERVE_BYTES: u64 = 64 << 20;
/// What a small copy may grow to beside that: an index, and room that the store takes ahead.
const FILE_BYTES_MORE: u64 = 64 << 20;
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
pub fn rehearse(ground: &Ground, program: &Program) -> Result<Rehearsed, Failure> {
    clear(ground)?;
    ground.records(Step::PrepareRehearsal)?;
    let rehearsed = copy(ground).and_then(|()| try_rehearse(ground, program));
    let removed = clear(ground);
    let rehearsed = rehearsed?;
    removed?;
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

/// Removes what a rehearsal left, also one whose leader was killed: files of another user than the
/// portal's, in a folder of the portal.
pub fn clear(ground: &Ground) -> Result<(), Failure> {
    let folder = ground.changeover().rehearsal();
    let below = folder.strip_prefix(&ground.data).context("the rehearsal is among the data")?;
    match folders::remove_below(&ground.data, below) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context("removing what the rehearsal left")?
        }
        _ => Ok(()),
    }
}

fn failed(why: String) -> Failure {
    let end = if why.ends_with(['.', '?', '!']) { "" } else { "." };
    Failure::from(Error::conflict(format!(
        "The rehearsal failed: {why}{end} Nothing was changed. The version that runs goes on."
    )))
}

/// The running portal copies its records; one that does not run has them at rest.
fn copy(ground: &Ground) -> Result<(), Failure> {
    let to = ground.changeover().rehearsal().join(App::DATABASE);
    let request = Request::CopyRecords { to: to.clone() };
    if asked(&request)?.is_none() {
        ground.records(Step::CopyAtRest { to })?;
    }
    ground.records(Step::ShareRehearsal)?;
    Ok(())
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

fn try_rehearse(ground: &Ground, program: &Program) -> Result<Rehearsed, Failure> {
    let folder = ground.changeover().rehearsal();
    let size = folder.join(App::DATABASE).metadata().context("looking at the copy")?.len();
    let cage = Cage {
        writable: Some(&folder),
        group: Some(USER),
        environment_file: Some(ENVIRONMENT_FILE),
        hidden: Some(&ground.data),
        file_bytes_max: size * COPIES + FILE_BYTES_MORE,
        seconds_max: SECONDS_MAX,
    };
    let path = folder.display().to_string();
    let begin = Instant::now();
    let ended = systemd::run_caged(
        &cage,
        &program.file(ground),
        &["changeover", "rehearse", "--data", &path],
    )?;
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
    // The files are not here, and those on S3 are nothing for a rehearsal. Its visitor is no proxy.
    let config = Config {
        storage: StorageConfig::default(),
        listen_https: None,
        public_url: None,
        trusted_proxies: Vec::new(),
        proxy_protocol: false,
        ..config
    };
    let size = config.data.join(App::DATABASE).metadata();
    let size = size.context("looking at the copy of the records")?.len();
    let begin = Instant::now();
    let app = blocking(move || App::open(config, Clock::system())).await?;
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
    let address = door.local_addr().context("listening")?;
    let (server, web) = web::serve(app.clone(), vec![Door::plain(door)])?;
    let server = tokio::spawn(server);
    // Where a container may not set up a network of its own, nobody can visit; the trial will.
    let paths: &[&str] = if has_loopback() { &["readyz", "sign-in"] } else { &[] };
    for path in paths {
        let visited = visits::visit(&format!("http://{address}/{path}"), Vec::new()).await;
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
    tracing::info!("the rehearsal is over");
    Ok(Rehearsed { records, damages, damages_total, start_ms })
}

/// Whether this machine, as it is seen from the cage, reaches itself. Connecting a datagram socket sends
/// nothing.
fn has_loopback() -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let connected = socket.and_then(|socket| socket.connect((Ipv4Addr::LOCALHOST, 9)));
    !connected.is_err_and(|fault| fault.kind() == io::ErrorKind::NetworkUnreachable)
}
