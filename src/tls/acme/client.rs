//! One account at one ACME server, and the orders that it places there.

use std::{path::Path, time::Duration};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error,
    Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use jiff::Timestamp;

use super::{Failure, http::Http};
use crate::tls::KeyPair;

/// How long the authority may take to look at the domain, and then to sign.
const PATIENCE: Duration = Duration::from_secs(90);

/// A way to prove that a domain is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    Http01,
    TlsAlpn01,
}

impl Challenge {
    /// As ACME names it.
    pub fn name(self) -> &'static str {
        match self {
            Challenge::Http01 => "http-01",
            Challenge::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

/// Whoever answers when the authority looks at the domain.
pub trait Answers: Send + Sync {
    /// From now on `/.well-known/acme-challenge/{token}` answers with this text.
    fn begin_http(&self, token: &str, text: &str);
    fn end_http(&self, token: &str);
    /// From now on whoever asks for the domain by the protocol of the challenge is shown this.
    fn begin_tls(&self, domain: &str, proof: &KeyPair);
    fn end_tls(&self, domain: &str);
}

/// When the authority wants a certificate to be renewed (RFC 9773).
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    pub from: Timestamp,
    pub until: Timestamp,
    /// When to ask again.
    pub ask_again_in: Duration,
}

/// An account at an ACME server.
pub struct Client {
    account: Account,
    http: Http,
    /// For messages: the directory's address.
    server: String,
}

impl Client {
    /// Signs in with the account that was kept, or makes one. The second answer is what to keep of a
    /// new one: JSON, with its key.
    pub async fn connect(
        directory: &str,
        ca_file: Option<&Path>,
        email: &str,
        kept: Option<&str>,
    ) -> Result<(Self, Option<String>), Failure> {
        let http = Http::new(ca_file).map_err(|fault| Failure::of_setting(&fault))?;
        let builder = Account::builder_with_http(Box::new(http.clone()));
        let failed = |error: &Error| with_pause(Failure::of(error, directory), &http);
        let server = directory.to_owned();
        if let Some(kept) = kept {
            let credentials: AccountCredentials = serde_json::from_str(kept)
                .map_err(|fault| Failure::of_us("reading the account's key", &fault))?;
            let account = builder.from_credentials(credentials).await;
            let account = account.map_err(|error| failed(&error))?;
            return Ok((Client { account, http, server }, None));
        }
        let contact = format!("mailto:{email}");
        let contact: &[&str] = if email.is_empty() { &[] } else { &[&contact] };
        let new =
            NewAccount { contact, terms_of_service_agreed: true, only_return_existing: false };
        let created = builder.create(&new, server.clone(), None).await;
        let (account, credentials) = created.map_err(|error| failed(&error))?;
        let kept = serde_json::to_string(&credentials)
            .map_err(|fault| Failure::of_us("writing the account's key", &fault))?;
        Ok((Client { account, http, server }, Some(kept)))
    }

    /// Changes whom the authority may write to.
    pub async fn set_email(&self, email: &str) -> Result<(), Failure> {
        let contact = format!("mailto:{email}");
        let contact: &[&str] = if email.is_empty() { &[] } else { &[&contact] };
        let changed = self.account.update_contacts(contact).await;
        changed.map_err(|error| self.failed(&error))
    }

    /// Has a certificate issued for one domain. The answer is the chain and the key in PEM.
    pub async fn issue(
        &self,
        domain: &str,
        challenge: Challenge,
        answers: &dyn Answers,
    ) -> Result<(String, String), Failure> {
        let identifiers = [Identifier::Dns(domain.to_owned())];
        let order = self.account.new_order(&NewOrder::new(&identifiers)).await;
        let mut order = order.map_err(|error| self.failed(&error))?;
        let mut begun = Begun { answers, domain, token: None };
        self.prove(&mut order, challenge, &mut begun).await?;
        let retries = RetryPolicy::new().timeout(PATIENCE);
        let ready = order.poll_ready(&retries).await;
        if !matches!(ready, Ok(OrderStatus::Ready)) {
            return Err(self.refused(&mut order, challenge, ready.err()).await);
        }
        drop(begun);
        let key = order.finalize().await.map_err(|error| self.failed(&error))?;
        let chain = order.poll_certificate(&retries).await.map_err(|error| self.failed(&error))?;
        Ok((chain, key))
    }

    /// Answers the challenge of each authorization that is still open, and says so.
    async fn prove(
        &self,
        order: &mut Order,
        challenge: Challenge,
        begun: &mut Begun<'_>,
    ) -> Result<(), Failure> {
        let wanted = match challenge {
            Challenge::Http01 => ChallengeType::Http01,
            Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failed(&error))?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let Some(mut handle) = authorization.challenge(wanted.clone()) else {
                let mut failure = Failure::new(
                    format!("The certificate authority does not offer {}.", challenge.name()),
                    "Set https.challenge to \"auto\" in the configuration.",
                );
                failure.is_about_challenge = true;
                return Err(failure);
            };
            begun.begin(challenge, &handle)?;
            handle.set_ready().await.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    /// Why an order is not ready: the challenge itself knows best.
    async fn refused(
        &self,
        order: &mut Order,
        challenge: Challenge,
        error: Option<Error>,
    ) -> Failure {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let Ok(state) = authorization.refresh().await else { continue };
            let problem = state.challenges.iter().find_map(|one| one.error.as_ref());
            if state.status == AuthorizationStatus::Invalid || problem.is_some() {
                return with_pause(Failure::of_challenge(problem, challenge), &self.http);
            }
        }
        match error {
            Some(error) => self.failed(&error),
            None => Failure::of_challenge(None, challenge),
        }
    }

    /// When to renew; `None` where the authority has no opinion.
    pub async fn renewal(&self, certificate: &KeyPair) -> Option<Renewal> {
        let id = CertificateIdentifier::try_from(certificate.leaf()?).ok()?;
        match self.account.renewal_info(&id).await {
            Ok((info, ask_again_in)) => {
                let window = info.suggested_window;
                let at = |time: time::OffsetDateTime| Timestamp::from_second(time.unix_timestamp());
                let (from, until) = (at(window.start).ok()?, at(window.end).ok()?);
                Some(Renewal { from, until, ask_again_in })
            }
            Err(Error::Unsupported(_)) => None,
            Err(error) => {
                tracing::debug!("asking when to renew: {error}");
                None
            }
        }
    }

    fn failed(&self, error: &Error) -> Failure {
        with_pause(Failure::of(error, &self.server), &self.http)
    }
}

fn with_pause(failure: Failure, http: &Http) -> Failure {
    let retry_after = failure.retry_after.max(http.retry_after());
    Failure { retry_after, ..failure }
}

/// An answer that stands until this is dropped.
struct Begun<'a> {
    answers: &'a dyn Answers,
    domain: &'a str,
    token: Option<String>,
}

impl Begun<'_> {
    fn begin(
        &mut self,
        challenge: Challenge,
        handle: &instant_acme::ChallengeHandle<'_>,
    ) -> Result<(), Failure> {
        let authorization = handle.key_authorization();
        match challenge {
            Challenge::Http01 => {
                self.answers.begin_http(&handle.token, authorization.as_str());
                self.token = Some(handle.token.clone());
            }
            Challenge::TlsAlpn01 => {
                let proof = proof(self.domain, authorization.digest().as_ref())
                    .map_err(|fault| Failure::of_us("proving the domain", &format!("{fault:#}")))?;
                self.answers.begin_tls(self.domain, &proof);
            }
        }
        Ok(())
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.answers.end_tls(self.domain);
        if let Some(token) = &self.token {
            self.answers.end_http(token);
        }
    }
}

/// A certificate that carries the answer (RFC 8737, 3).
fn proof(domain: &str, digest: &[u8]) -> anyhow::Result<KeyPair> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(vec![domain.to_owned()])?;
    params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    KeyPair::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
}
