//! Fetches certificates from the authority when they are due.

use std::time::Duration;

use anyhow::anyhow;
use aws_lc_rs::rand;
use jiff::SignedDuration;

use super::orders::Came;
use crate::{
    app::App,
    clock::Clock,
    config::ChallengeChoice,
    domain::certificates::{self, Certificate, Hidden, Issued, Terms},
    error::Result,
    tls::{
        KeyPair,
        acme::{Challenge, Client, Failure, Renewal},
    },
};

/// One attempt, with both challenges, takes no longer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(300);
/// Without another word from the authority it is asked so often when to renew.
const ASKED_EVERY: SignedDuration = SignedDuration::from_hours(6);

impl App {
    /// Makes the attempts that are due. What goes wrong with one domain does not hold up the others.
    ///
    /// # Errors
    /// The first fault of this portal, such as a disk that is full. That an authority refuses is
    /// noted with its domain instead.
    pub(super) async fn fetch_due_certificates(&self) -> Result<()> {
        let Some(terms) = self.acme_terms() else { return Ok(()) };
        let mut outcome = self.store_what_came().await;
        let unstored = self.https.orders.unstored();
        let domains = self.domains();
        let all = self.store.read(move |tx| certificates::of_domains(tx, &domains)).await?;
        for certificate in all.iter().filter(|one| !unstored.contains_key(&one.domain)) {
            let now = self.clock.now();
            let looked_after = if certificate.is_due(&terms, now) {
                self.fetch_one(&terms, certificate).await
            } else if let Some(issued) = certificate.usable(&terms.directory, now) {
                self.ask_when_to_renew(&terms.directory, certificate, issued).await
            } else {
                Ok(())
            };
            outcome = outcome.and(looked_after);
        }
        outcome
    }

    async fn fetch_one(&self, terms: &Terms, certificate: &Certificate) -> Result<()> {
        let (domain, directory) = (&certificate.domain, &terms.directory);
        let _under_way = self.https.orders.begin(domain);
        tracing::info!(domain, directory, "fetching a certificate");
        let begun = (domain.clone(), terms.clone());
        self.store.write(move |tx| certificates::begin_attempt(tx, &begun.0, begun.1)).await?;
        let fetched =
            tokio::time::timeout(ATTEMPT_TIMEOUT, self.fetch(directory, certificate)).await;
        let failure = match fetched {
            Ok(Ok((issued, challenge))) => {
                tracing::info!(domain, issuer = issued.issuer, until = %issued.valid_until, "a certificate came");
                self.https.orders.keep(domain, Came { issued, challenge });
                // First, for it may be that it cannot be stored.
                self.show_certificates().await?;
                return self.store_what_came().await;
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::too_slow(),
        };
        // By this machine's clock the pause was told; tests hold another one.
        let pause = failure.retry_after.map(|at| at.duration_since(Clock::system().now()));
        let not_before = pause.map(|pause| self.clock.now() + pause);
        tracing::error!(domain, "no certificate: {} {}", failure.message, failure.remedy);
        let Failure { message, remedy, .. } = failure;
        let failed = domain.clone();
        let noted = self
            .store
            .write(move |tx| certificates::note_failure(tx, &failed, message, remedy, not_before))
            .await?;
        tracing::info!(domain, at = %noted.next_attempt_at, "the next attempt is made then");
        Ok(())
    }

    /// Puts the certificates that came into the store.
    async fn store_what_came(&self) -> Result<()> {
        let mut outcome = Ok(());
        for (domain, Came { issued, challenge }) in self.https.orders.unstored() {
            let (chance, name) = (chance()?, domain.clone());
            let stored = self
                .store
                .write(move |tx| {
                    certificates::note_issued(tx, &name, issued, challenge.name(), chance)
                })
                .await;
            match stored {
                Ok(()) => self.https.orders.stored(&domain),
                Err(fault) => outcome = Err(fault),
            }
        }
        outcome
    }

    async fn fetch(
        &self,
        directory: &str,
        certificate: &Certificate,
    ) -> Result<(Issued, Challenge), Failure> {
        let mut last = None;
        for challenge in self.challenges(certificate) {
            let issued = match self.order(directory, &certificate.domain, challenge).await {
                // The account is gone over there: a new one is made, once.
                Err(failure) if failure.is_about_account => {
                    let gone = directory.to_owned();
                    let forgotten =
                        self.store.write(move |tx| certificates::forget_account(tx, &gone)).await;
                    forgotten.map_err(|error| fault("forgetting an account", &error.chain()))?;
                    self.order(directory, &certificate.domain, challenge).await
                }
                issued => issued,
            };
            match issued {
                Ok(issued) => return Ok((issued, challenge)),
                Err(failure) if failure.is_about_challenge => {
                    tracing::info!(challenge = challenge.name(), "not passed: {}", failure.message);
                    last = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(last.unwrap_or_else(Failure::no_door))
    }

    async fn order(
        &self,
        directory: &str,
        domain: &str,
        challenge: Challenge,
    ) -> Result<Issued, Failure> {
        let client = self.connect(directory).await?;
        let (chain, key) = client.issue(domain, challenge, &self.https).await?;
        let pair = KeyPair::from_pem(chain.as_bytes(), key.as_bytes())
            .map_err(|wrong| fault("reading the certificate that came", &format!("{wrong:#}")))?;
        if !pair.is_for(domain) {
            return Err(fault("reading the certificate that came", &"it is for another name"));
        }
        Ok(Issued {
            chain,
            key: Hidden::new(key),
            directory: directory.to_owned(),
            issuer: pair.issuer,
            valid_from: pair.valid_from,
            valid_until: pair.valid_until,
        })
    }

    /// Signs in at the authority, with an account that is made the first time.
    async fn connect(&self, directory: &str) -> Result<Client, Failure> {
        let email = self.acme_email();
        let named = directory.to_owned();
        let account = self.store.read(move |tx| certificates::account(tx, &named)).await;
        let account = account.map_err(|error| fault("reading the account", &error.chain()))?;
        let ca_file = &self.config.https.ca_file;
        let ca_file = Some(ca_file.as_path()).filter(|path| !path.as_os_str().is_empty());
        let kept = account.as_ref().map(|account| account.credentials.reveal());
        let (client, new) = Client::connect(directory, ca_file, &email, kept).await?;
        let credentials = match (new, account) {
            (Some(new), _) => Hidden::new(new),
            (None, Some(account)) if account.email != email => {
                client.set_email(&email).await?;
                account.credentials
            }
            (None, _) => return Ok(client),
        };
        let named = directory.to_owned();
        let kept = self
            .store
            .write(move |tx| certificates::keep_account(tx, &named, &email, credentials))
            .await;
        kept.map_err(|error| fault("keeping the account", &error.chain()))?;
        Ok(client)
    }

    /// What to try, in which order: what worked last, then by the doors that there are.
    fn challenges(&self, certificate: &Certificate) -> Vec<Challenge> {
        let doors = self.https.doors();
        let mut possible = Vec::new();
        if doors.https.is_some() {
            possible.push(Challenge::TlsAlpn01);
        }
        if doors.http.is_some() {
            possible.push(Challenge::Http01);
        }
        match self.config.https.challenge {
            ChallengeChoice::Auto => {}
            ChallengeChoice::Http01 => possible.retain(|one| *one == Challenge::Http01),
            ChallengeChoice::TlsAlpn01 => possible.retain(|one| *one == Challenge::TlsAlpn01),
        }
        let worked = certificate.challenge.as_deref();
        possible.sort_by_key(|one| Some(one.name()) != worked);
        possible
    }

    /// Asks the authority, now and then, whether it wants a certificate renewed at another time.
    async fn ask_when_to_renew(
        &self,
        directory: &str,
        certificate: &Certificate,
        issued: &Issued,
    ) -> Result<()> {
        let now = self.clock.now();
        if !self.https.asks.is_time(&certificate.domain, now) {
            return Ok(());
        }
        self.https.asks.note(&certificate.domain, now + ASKED_EVERY);
        let Ok(pair) = KeyPair::from_pem(issued.chain.as_bytes(), issued.key.reveal().as_bytes())
        else {
            return Ok(());
        };
        let Ok(client) = self.connect(directory).await else { return Ok(()) };
        let Some(Renewal { from, until, ask_again_in }) = client.renewal(&pair).await else {
            return Ok(());
        };
        let pause = SignedDuration::try_from(ask_again_in).unwrap_or(ASKED_EVERY);
        self.https.asks.note(&certificate.domain, now + pause.min(ASKED_EVERY * 4));
        // Ours stays when it is earlier, unless it lies before what they suggest by a mistake of ours.
        if until < certificate.next_attempt_at {
            let span_s = until.duration_since(from).as_secs().max(0) as f64;
            let at = from + SignedDuration::from_secs((span_s * chance()?) as i64);
            tracing::info!(domain = certificate.domain, %at, "the authority wants an early renewal");
            let domain = certificate.domain.clone();
            self.store.write(move |tx| certificates::move_renewal(tx, &domain, at)).await?;
        }
        Ok(())
    }
}

fn fault(doing: &str, fault: &dyn std::fmt::Display) -> Failure {
    Failure::of_us(doing, fault)
}

/// From 0 to 1, unforeseeable.
fn chance() -> Result<f64> {
    let mut bytes = [0; 4];
    rand::fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}
