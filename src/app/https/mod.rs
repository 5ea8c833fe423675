//! HTTPS: which certificate is shown for which name, and where it comes from.
//!
//! With files in the configuration it is theirs, else one from the certificate authority for each
//! domain, and while there is none, one that vouches for itself: the portal always answers. A task of
//! its own ([`run`]) looks after them: it reads files that changed, fetches, renews, and puts off
//! what fails, unless the DNS says something new (`names`). What is shown is exchanged without a restart.

mod choosing;
mod files;
mod names;
mod ordering;
mod orders;
mod standing;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::sync::{Mutex, Notify, watch};

pub(super) use self::names::run as watch_names;
pub use self::{
    choosing::{Face, host_of, matches},
    standing::{CertificateSource, HttpsStanding},
};
use super::{App, stops_within};
use crate::{
    domain::{
        access::Actor,
        certificates::{self, Fault, Terms},
        settings::{self, Settings},
    },
    error::{Error, Result},
    tls::{KeyPair, Keyring, acme::Answers, server_config},
};

/// Between two looks at files and at what is due.
const EVERY: Duration = Duration::from_secs(5);
/// Answers to challenges that may stand at the same time.
const TOKENS_MAX: usize = 1_000;

/// Where the server listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doors {
    pub http: Option<SocketAddr>,
    pub https: Option<SocketAddr>,
}

/// What is shown, and what is under way.
#[derive(Default)]
pub struct Https {
    keyring: Arc<Keyring>,
    doors: OnceLock<Doors>,
    face: ArcSwap<Face>,
    files: Mutex<files::Files>,
    /// Answers on port 80, by their tokens.
    tokens: RwLock<HashMap<String, String>>,
    wake: Notify,
    asks: standing::Asks,
    orders: orders::Orders,
    /// Taken by whoever chooses what is shown: of two at once the one that knows less could win.
    showing: Mutex<()>,
}

impl Https {
    pub fn doors(&self) -> Doors {
        self.doors.get().copied().unwrap_or_default()
    }

    /// What the server is for whoever knocks, at this moment.
    pub fn face(&self) -> Arc<Face> {
        self.face.load_full()
    }

    /// The answer to a challenge of the certificate authority (RFC 8555, 8.3).
    pub fn answer_to(&self, token: &str) -> Option<String> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

impl Answers for Https {
    fn begin_http(&self, token: &str, text: &str) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() < TOKENS_MAX {
            tokens.insert(token.to_owned(), text.to_owned());
        }
    }

    fn end_http(&self, token: &str) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn begin_tls(&self, domain: &str, proof: &KeyPair) {
        self.keyring.begin_challenge(domain, proof);
    }

    fn end_tls(&self, domain: &str) {
        self.keyring.end_challenge(domain);
    }
}

impl App {
    /// Says where the server listens, and answers what it needs to speak TLS there. Call it before
    /// [`start`](App::start).
    pub async fn open_doors(&self, doors: Doors) -> Result<Option<Arc<ServerConfig>>> {
        if self.https.doors.set(doors).is_err() {
            return Err(Error::Internal(anyhow::anyhow!("the doors are open already")));
        }
        self.read_certificate_files().await;
        self.show_certificates().await?;
        match doors.https {
            Some(_) => Ok(Some(server_config(self.https.keyring.clone())?)),
            None => Ok(None),
        }
    }

    /// The names of the portal, the main one first.
    pub fn domains(&self) -> Vec<String> {
        let settings = self.settings();
        settings.domains.clone().unwrap_or_else(|| self.config.https.domains.clone())
    }

    /// Whom the certificate authority may write to.
    pub fn acme_email(&self) -> String {
        let settings = self.settings();
        settings.acme_email.clone().unwrap_or_else(|| self.config.https.email.clone())
    }

    /// The address for people, when it is known without a request: without a slash at its end.
    pub fn public_url(&self) -> Option<String> {
        if let Some(url) = &self.config.public_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        self.https.face().url()
    }

    /// Sets the names of the portal and the address for the authority; `None` leaves each to the
    /// configuration. What is missing is fetched at once, and what failed is tried again, also when
    /// nothing is changed: perhaps the cause was mended elsewhere.
    pub async fn set_https(
        &self,
        actor: Actor,
        domains: Option<Vec<String>>,
        email: Option<String>,
    ) -> Result<Settings> {
        let configured = self.config.https.domains.clone();
        let settings = self
            .write_as(actor, move |tx, actor| {
                let settings = settings::set_https(tx, actor, domains, email)?;
                certificates::try_soon(tx, settings.domains.as_ref().unwrap_or(&configured))?;
                Ok(settings)
            })
            .await?;
        self.refresh_settings().await?;
        self.show_certificates().await?;
        self.https.wake.notify_one();
        Ok(settings)
    }

    /// Lets the next attempt of every certificate that is missing or failed be made now.
    pub async fn fetch_certificates_now(&self, actor: Actor) -> Result<()> {
        if self.acme_directory().is_none() {
            return Err(Error::conflict(
                "No certificates are fetched: the server does not listen for HTTPS, or https.acme is \
                 off, or the configuration names a certificate file.",
            ));
        }
        let domains = self.domains();
        if domains.is_empty() {
            return Err(Error::conflict("Name a domain first."));
        }
        self.write_as(actor, move |tx, actor| certificates::try_now(tx, actor, &domains)).await?;
        self.look_at_certificates();
        Ok(())
    }

    /// Has the task look again at once, instead of in a few seconds.
    pub fn look_at_certificates(&self) {
        self.https.wake.notify_one();
    }

    /// How certificates are fetched; `None` when none are.
    fn acme_terms(&self) -> Option<Terms> {
        let https = &self.config.https;
        Some(Terms {
            directory: self.acme_directory()?.to_owned(),
            email: self.acme_email(),
            challenge: https.challenge,
            ca_file: https.ca_file.clone(),
        })
    }

    /// The directory that is asked for certificates; `None` when none is.
    fn acme_directory(&self) -> Option<&str> {
        let has_door = self.https.doors().https.is_some();
        let https = &self.config.https;
        https.directory().filter(|_| has_door && !https.has_own_files())
    }
}

/// Looks after the certificates while the portal runs.
pub(super) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    if app.https.doors().https.is_none() {
        return;
    }
    loop {
        // What is under way when the portal stops is begun anew.
        let looked = tokio::select! {
            looked = look(&app) => looked,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        let trouble = looked.err().map(|fault| Fault {
            at: app.clock.now(),
            message: format!("Certificates cannot be looked after: {}.", fault.chain()),
            remedy: "Look at the log, and for free disk space: appliance doctor. The portal tries \
                     again by itself."
                .into(),
        });
        if app.https.orders.note_trouble(trouble.clone())
            && let Some(trouble) = trouble
        {
            tracing::error!("{}", trouble.message);
        }
        tokio::select! {
            () = app.https.wake.notified() => {}
            stops = stops_within(&mut stopped, EVERY) => if stops { return },
        }
    }
}

async fn look(app: &App) -> Result<()> {
    let have_files_changed = app.read_certificate_files().await;
    let has_ended = app.https.face().until.is_some_and(|until| until <= app.clock.now());
    if have_files_changed || has_ended || app.is_self_signed_old().await? {
        app.show_certificates().await?;
    }
    app.fetch_due_certificates().await
}
