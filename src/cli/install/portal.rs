//! The installed portal itself: brought back from a backup, asked how it is, and where people find
//! it.

use std::{
    fs, io,
    net::IpAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;

use super::{
    Wanted,
    accounts::portal_user,
    step::{Step, Undo},
};
use crate::{
    app::{App, Reporter},
    cli::{Exit, Failure, ask::runtime, https, logs},
    control::{AskError, Change, HttpsChange, Reply, Request, Status, ask},
    error::{Error, Result},
    host::{
        accounts::Ids,
        cloud, folders,
        journal::{self, Wanted as WantedLog},
        places::{DATA, PROGRAM, SERVICE},
    },
};

const PAUSE: Duration = Duration::from_millis(50);
/// What a disk of its own has, however empty it is.
pub(super) const LOST_AND_FOUND: &str = "lost+found";
/// So far back the reason for a failed start is looked for.
const LAST_LINES: u32 = 50;

/// The portal of a backup, in the data folder before the service starts.
pub struct Restored {
    /// For `appliance restore`, the source first.
    pub flags: Vec<String>,
}

impl Step for Restored {
    fn what(&self) -> String {
        format!("The portal of the backup {}", self.flags[0])
    }

    fn is_so(&self) -> Result<bool> {
        Ok(false)
    }

    fn apply(&self, undo: &mut Vec<Undo>) -> Result<Exit> {
        let data = Path::new(DATA);
        undo.push(Undo::EmptyFolder(data.into()));
        // As root it can read the backup wherever it is; then everything goes to the portal's user.
        folders::hand_over(data, Ids { user: 0, group: 0 })?;
        let status = Command::new(PROGRAM)
            .args(["restore", "--data", DATA])
            .args(&self.flags)
            .status()
            .context("starting the restore")?;
        let exit = match status.code() {
            Some(code) if code == Exit::Done as i32 => Exit::Done,
            Some(code) if code == Exit::Partly as i32 => Exit::Partly,
            _ => {
                let fault = anyhow!("the backup could not be restored; the reason stands above");
                return Err(fault.into());
            }
        };
        folders::hand_over(data, portal_user()?)?;
        Ok(exit)
    }

    fn removal(&self, _purges: bool) -> Vec<Undo> {
        Vec::new()
    }
}

/// What the installed portal says of itself; `None` when it does not run.
pub fn installed_status() -> Result<Option<Status>> {
    match asked(&Request::Status)? {
        Some(Reply::Status(status)) => Ok(Some(*status)),
        Some(other) => Err(anyhow!("the portal gave another answer: {other:?}").into()),
        None => Ok(None),
    }
}

fn asked(request: &Request) -> Result<Option<Reply>> {
    let runtime = runtime().map_err(|failure| anyhow!("{}", failure.sentence()))?;
    match runtime.block_on(ask(Path::new(DATA), request, &Reporter::unheard())) {
        Ok(reply) => Ok(reply),
        Err(AskError::Silent) => Err(anyhow!("the portal does not answer").into()),
        Err(AskError::Failed(error)) => Err(error),
    }
}

/// True where a portal has its records.
pub fn has_data() -> bool {
    Path::new(DATA).join(App::DATABASE).exists()
}

/// Something that lies in the data folder; `None` when it is empty, or not there.
pub fn found_in_data() -> Result<Option<String>> {
    let entries = match fs::read_dir(DATA) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != LOST_AND_FOUND {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

pub fn wait_until_it_answers(patience: Duration) -> Result<()> {
    let begin = Instant::now();
    while installed_status()?.is_none() {
        if begin.elapsed() > patience {
            let reason = last_words().unwrap_or_else(|| "it does not answer".into());
            return Err(anyhow!("{reason}").context("the portal started and is not ready").into());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Why the portal did not start: in its own words where it has said any, for systemd knows only that.
pub fn reason(fault: Error) -> Error {
    match last_words() {
        Some(words) => anyhow!("{words}").context("the portal did not start").into(),
        None => fault,
    }
}

/// The last thing that the portal complained about; `None` when it did not, or nobody knows.
pub fn last_words() -> Option<String> {
    words(&WantedLog { unit: SERVICE, lines: Some(LAST_LINES), ..WantedLog::default() })
}

/// The same of what it has said since a moment.
pub fn last_words_since(since: Timestamp) -> Option<String> {
    let since = format!("@{}", since.as_second());
    words(&WantedLog { unit: SERVICE, since: Some(&since), ..WantedLog::default() })
}

fn words(wanted: &WantedLog) -> Option<String> {
    let mut last = None;
    journal::catch_up();
    let read = journal::read(wanted, |entry| {
        let said = logs::Said::of(&entry);
        if said.is_error() && !entry.is_about {
            last = Some(said.message.trim_start_matches("error: ").to_owned());
        }
        Ok(std::ops::ControlFlow::Continue(()))
    });
    read.ok().and(last)
}

/// Lets the domains of this call count where others were set while the portal ran, or came with a
/// backup: those would win over the configuration. What failed before is tried again. Says what gave
/// way.
pub fn prefer_configured(wanted: &Wanted) -> Result<String> {
    let Some(Reply::Https(standing)) = asked(&Request::Https)? else { return Ok(String::new()) };
    let mut change = HttpsChange::default();
    let mut given_way = String::new();
    if standing.are_domains_set && standing.domains != wanted.domains {
        change.domains = Change::Unset;
        given_way = match standing.domains.as_slice() {
            [] => "The portal was set to have no domain; that gives way.\n".into(),
            domains => format!("{}, set before, gives way.\n", domains.join(", ")),
        };
    }
    if standing.is_email_set && wanted.email.as_ref().is_some_and(|new| *new != standing.email) {
        change.email = Change::Unset;
    }
    asked(&Request::SetHttps(change))?;
    Ok(given_way)
}

/// Waits until the certificates of the domains are there, or it is clear why not; says which, and
/// whether all are.
pub fn wait_for_certificates() -> Result<(String, Exit)> {
    let begin = Instant::now();
    loop {
        let standing = match asked(&Request::Https)? {
            Some(Reply::Https(standing)) => standing,
            _ => return Ok((String::new(), Exit::Done)),
        };
        if !https::is_under_way(&standing) || begin.elapsed() > https::PATIENCE {
            let shown = standing.certificates.iter().map(https::of_one).collect();
            return Ok((shown, https::exit(&standing)));
        }
        std::thread::sleep(https::PAUSE);
    }
}

/// Where people find the portal, and how the first of them gets in.
pub struct Address {
    url: String,
    setup_url: Option<String>,
}

impl Address {
    pub fn find() -> Result<Self, Failure> {
        let status = installed_status()?;
        let status =
            status.ok_or_else(|| anyhow!("the portal has stopped; see: appliance logs"))?;
        let setup_url = match status.is_set_up {
            true => None,
            false => match asked(&Request::SetupLink)? {
                Some(Reply::SetupLink { url }) => Some(url),
                _ => None,
            },
        };
        Ok(Address { url: status.url, setup_url })
    }

    pub fn shown(&self, wanted: &Wanted) -> String {
        // The machine knows its private address only; Amazon knows the one outside.
        let outside = if wanted.domains.is_empty() { cloud::public_address() } else { None };
        let url = seen_from(outside, &self.url, &self.url);
        let mut text = format!("Appliance is running on {url}\n");
        match &self.setup_url {
            Some(setup) => {
                let setup = seen_from(outside, &self.url, setup);
                text.push_str(&format!("Set it up within 30 minutes: {setup}\n"));
            }
            None => text.push_str("Sign in there.\n"),
        }
        if wanted.domains.is_empty() {
            text.push_str(
                "It speaks HTTP, which anybody on the way can read. With a domain it fetches a \
                 certificate:\n  appliance install --domain docs.example.com --email \
                 you@example.com\n",
            );
        }
        text.push_str("How it is: appliance status. What it says: appliance logs -f\n");
        text
    }
}

/// An address below `url`, as it is when one comes from outside.
fn seen_from(outside: Option<IpAddr>, url: &str, address: &str) -> String {
    let Some(outside) = outside else { return address.into() };
    match address.strip_prefix(url) {
        Some(path) => format!("http://{outside}{path}"),
        None => address.into(),
    }
}
