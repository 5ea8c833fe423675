//! Whether a program has the portal and answers. Nothing is asked in a language that another version
//! may speak differently: systemd says which process is the portal's, the kernel says of which file it
//! is, and whoever visits /readyz hears the rest.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::anyhow;

use super::{
    ground::Ground,
    journal::{Journal, Stage},
    versions::Program,
};
use crate::{
    app::Doors,
    cli::{ask::runtime, doors::is_for_https},
    config::Config,
    error::Result,
    host::{
        files,
        places::{SERVICE, SOCKET},
        systemd,
    },
    web::{self, Heard},
};

/// For the end of the version before: the unit gives it less.
const PATIENCE_STOP: Duration = Duration::from_secs(150);
const PAUSE: Duration = Duration::from_millis(100);

/// Looks at the portal again and again, for one program.
pub struct Watch<'a> {
    ground: &'a Ground,
    config: &'a Config,
    program: &'a Program,
    /// A process that is known to be of its file, for that takes a while to find out.
    known: Option<u32>,
}

impl<'a> Watch<'a> {
    pub fn new(ground: &'a Ground, config: &'a Config, program: &'a Program) -> Self {
        Watch { ground, config, program, known: None }
    }

    /// Whether it is this program that runs as the service, has said so to systemd, and answers a
    /// visitor. One that hangs does not.
    pub fn is_ready(&mut self) -> Result<bool> {
        let unit = systemd::look(SERVICE)?;
        let Some(pid) = unit.pid.filter(|_| unit.is_active()) else { return Ok(false) };
        if self.known != Some(pid) {
            let running = PathBuf::from(format!("/proc/{pid}/exe"));
            // A process may be gone again.
            if !files::are_equal(&running, &self.program.file(self.ground)).unwrap_or(false) {
                return Ok(false);
            }
            self.known = Some(pid);
        }
        Ok(visit(self.config)? && systemd::look(SERVICE)?.pid == Some(pid))
    }

    /// Waits until a program that systemd starts again and again has the portal.
    pub fn comes_back(&mut self, limit: Duration) -> Result<bool> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if self.is_ready()? {
                return Ok(true);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(false)
    }

    /// Waits until the other program has taken its place in an update and answers, or it is clear that
    /// it will not. `limit` is its own time, from when it was put in its place.
    pub fn takes_over(&mut self, limit: Duration) -> Result<()> {
        let (mut begin, mut patience) = (Instant::now(), PATIENCE_STOP);
        let mut restarts = None;
        while begin.elapsed() < patience {
            match Journal::read(self.ground)?.map(|journal| journal.stage) {
                Some(Stage::Exchanged) => {
                    if restarts.is_none() {
                        (begin, patience) = (Instant::now(), limit);
                    }
                    if self.is_ready()? {
                        return Ok(());
                    }
                    let unit = systemd::look(SERVICE)?;
                    let has_ended = unit.detail == "auto-restart" || unit.state == "failed";
                    if has_ended || unit.restarts > *restarts.get_or_insert(unit.restarts) {
                        return Err(anyhow!("it ended ({})", unit.result).into());
                    }
                }
                Some(Stage::Refused(why)) => return Err(anyhow!(why).into()),
                // The program before finishes its last requests.
                _ => {}
            }
            std::thread::sleep(PAUSE);
        }
        let seconds = patience.as_secs();
        match restarts {
            Some(_) => Err(anyhow!("it was not ready after {seconds} seconds").into()),
            None => Err(anyhow!("the one before did not end within {seconds} seconds").into()),
        }
    }
}

/// Where no HTTP is spoken, but TLS alone, it is enough that somebody shows a certificate.
fn visit(config: &Config) -> Result<bool> {
    let runtime = runtime().map_err(|failure| anyhow!("{}", failure.sentence()))?;
    let heard = runtime.block_on(web::probe_ready(doors(config)?, config));
    Ok(matches!(heard, Ok(Heard::Welcome)))
}

/// Where the installed portal is reached: on what systemd holds for it, else where it listens itself.
fn doors(config: &Config) -> Result<Doors> {
    let held = systemd::listens(SOCKET)?;
    let name = systemd::descriptor_name(SOCKET)?;
    let is_https = |door: &&SocketAddr| is_for_https(&name, door.port(), config);
    if held.is_empty() {
        return Ok(Doors { http: Some(config.listen), https: None });
    }
    let http = held.iter().find(|door| !is_https(door)).copied();
    Ok(Doors { http, https: held.iter().find(is_https).copied() })
}
