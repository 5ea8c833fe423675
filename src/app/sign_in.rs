//! Signing in: a limit on guessing, a password check that takes the same time whoever asks, and a
//! session, held by a cookie or by a JSON Web Token (RFC 7519) that names it.

use std::net::IpAddr;

use anyhow::Context;
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{
    App,
    throttle::{Attempt, Target},
};
use crate::{
    blocking::blocking,
    domain::{
        access::Actor,
        events::{self, Verb},
        memberships,
        passwords::{self, PasswordHash},
        secrets::Secret,
        sessions::{self, Session, SignIn},
        users::{self, Names, User},
    },
    error::{Error, Result},
    id::Id,
    together::together,
};

/// How long a token from `POST /api/login` is good for.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What somebody proves who they are with, and where they are.
#[derive(Clone)]
pub struct Credentials {
    /// A user name or an e-mail address.
    pub login: String,
    pub password: String,
    pub address: Option<IpAddr>,
    /// Everybody seems to come from there: it must not be held against them.
    pub is_address_shared: bool,
    pub user_agent: String,
}

/// A signed token and how long it lasts.
pub struct Token {
    pub text: String,
    pub lifetime: SignedDuration,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Id<User>,
    sid: Id<Session>,
    iat: i64,
    exp: i64,
}

impl App {
    /// Signs in for a browser. The text is what the cookie holds.
    pub async fn sign_in(&self, credentials: Credentials) -> Result<(Session, String)> {
        let user = self.authenticate(&credentials).await?;
        self.begin_session(user, credentials.address, credentials.user_agent).await
    }

    /// A session for somebody who has just proven who they are: `user` as it was then.
    pub async fn begin_session(
        &self,
        user: User,
        address: Option<IpAddr>,
        user_agent: String,
    ) -> Result<(Session, String)> {
        let lifetime = self.settings().session_lifetime();
        let sign_in = SignIn { address: address.map(|ip| ip.to_string()), user_agent, lifetime };
        let (session, secret) = self
            .store
            .write(move |tx| {
                let secret = Secret::random()?;
                Ok((sessions::begin(tx, &user, sign_in, Some(&secret))?, secret))
            })
            .await?;
        let cookie = format!("{}.{}", session.id, secret.reveal());
        Ok((session, cookie))
    }

    /// Signs in for a program.
    pub async fn sign_in_for_token(&self, credentials: Credentials) -> Result<Token> {
        let user = self.authenticate(&credentials).await?;
        let sign_in = SignIn {
            address: credentials.address.map(|ip| ip.to_string()),
            user_agent: credentials.user_agent,
            lifetime: TOKEN_LIFETIME,
        };
        let session = self.store.write(move |tx| sessions::begin(tx, &user, sign_in, None)).await?;
        let claims = Claims {
            sub: session.user,
            sid: session.id,
            iat: session.created_at.as_second(),
            exp: session.expires_at.as_second(),
        };
        let key = EncodingKey::from_secret(self.settings().token_key.as_bytes());
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .context("signing a token")?;
        Ok(Token { text, lifetime: TOKEN_LIFETIME })
    }

    /// The session that a token names; whether it is still open, the store tells.
    pub fn read_token(&self, text: &str) -> Option<Id<Session>> {
        let key = DecodingKey::from_secret(self.settings().token_key.as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        // The session's own end counts, by our clock.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let token = jsonwebtoken::decode::<Claims>(text, &key, &validation).ok()?;
        Some(token.claims.sid)
    }

    async fn authenticate(&self, credentials: &Credentials) -> Result<User> {
        let Credentials { login, password, address, .. } = credentials;
        let user = {
            let login = login.clone();
            self.store.read(move |tx| users::by_login(tx, &login)).await?
        };
        let target = match &user {
            Some(user) => Target::Account(user.id),
            None => Target::Name(login.clone()),
        };
        let expected = user.as_ref().map(|user| user.password.clone());
        let counted = address.filter(|_| !credentials.is_address_shared);
        match (self.attempt(target, counted, password.clone(), expected).await?, user) {
            (Some(attempt), Some(user)) if user.is_disabled => {
                attempt.take_back();
                Err(Error::forbidden("This account is disabled. Ask your administrator."))
            }
            (Some(attempt), Some(user)) => {
                attempt.succeed();
                Ok(user)
            }
            (_, user) => {
                self.note_failed_sign_in(user, *address);
                Err(Error::WrongCredentials)
            }
        }
    }

    /// Checks a password, which counts as a guess while it lasts and after a `None`: it was wrong.
    async fn attempt(
        &self,
        target: Target,
        address: Option<IpAddr>,
        password: String,
        expected: Option<PasswordHash>,
    ) -> Result<Option<Attempt<'_>>> {
        let attempt = self.throttle.attempt(&target, address)?;
        let checked = self.with_hashing(move || passwords::verify(&password, expected.as_ref()));
        match checked.await {
            Ok(is_right) => Ok(is_right.then_some(attempt)),
            Err(fault) => {
                attempt.take_back();
                Err(fault)
            }
        }
    }

    /// Leaves a trace in the audit log of an account that exists. Guessed names leave none: else
    /// anybody could fill the log. The answer does not wait for it, and so does not tell by its time
    /// which names exist.
    fn note_failed_sign_in(&self, user: Option<User>, address: Option<IpAddr>) {
        let Some(user) = user else { return };
        let store = self.store.clone();
        tokio::spawn(async move {
            let noted = store.write(move |tx| {
                let organization =
                    memberships::of_user(tx, user.id)?.first().map(|m| m.organization);
                let mut actor = Actor::stranger();
                actor.address = address.map(|ip| ip.to_string());
                let name = user.display_name();
                events::record(tx, &actor, organization, Verb::SignInFailed, user.id, name, None)
            });
            if let Err(fault) = noted.await {
                tracing::error!("a failed sign-in is not in the audit log: {}", fault.chain());
            }
        });
    }

    /// Changes one's own password, which ends all sessions but the one that asks.
    ///
    /// # Errors
    /// `Invalid` when `current` is not the password, or the new one breaks a rule; guesses are
    /// limited as for signing in.
    pub async fn change_own_password(
        &self,
        actor: Actor,
        current: String,
        password: String,
    ) -> Result<()> {
        let organization = actor.at_work()?;
        let id = actor.person()?;
        let user = self.store.read(move |tx| users::get(tx, id)).await?;
        let confirmed = self.confirm_password(&user, current.clone()).await;
        let accepted = match password == current {
            true => Err(Error::invalid_field("password", "Choose another one than before.")),
            false => passwords::accept(&password, &[&user.username, &user.email]),
        };
        together((confirmed, accepted))?;
        let password = self.new_password(password, &[]).await?;
        self.write_as(actor, move |tx, actor| {
            users::change_own_password(tx, actor, organization, &user.password, password)
        })
        .await
    }

    /// # Errors
    /// `Invalid` when it is not the user's password; guesses are limited as for signing in.
    async fn confirm_password(&self, user: &User, password: String) -> Result<()> {
        let (target, expected) = (Target::Confirmation(user.id), Some(user.password.clone()));
        match self.attempt(target, None, password, expected).await? {
            Some(attempt) => {
                attempt.succeed();
                Ok(())
            }
            None => {
                let message = "This is not your current password.";
                Err(Error::invalid_field("current_password", message))
            }
        }
    }

    /// The hash of a password that somebody is to have. `names` are what it must not repeat.
    ///
    /// # Errors
    /// `Invalid` with the rule that it breaks.
    pub async fn new_password(&self, password: String, names: &[&str]) -> Result<PasswordHash> {
        passwords::accept(&password, names)?;
        self.with_hashing(move || passwords::hash(&password)).await
    }

    /// The hash of the first password of an account that is to be made.
    ///
    /// # Errors
    /// `Invalid` or `Taken` with all that is wrong with the password and with the names.
    pub async fn first_password(&self, password: String, names: Names) -> Result<PasswordHash> {
        let accepted = passwords::accept(&password, &[&names.username, &names.email]);
        let named = self.store.read(move |tx| users::free_names(tx, &names, None)).await;
        together((named, accepted))?;
        self.with_hashing(move || passwords::hash(&password)).await
    }

    /// Away from the async threads, and not too many at a time.
    ///
    /// # Errors
    /// `Busy` when too many wait already.
    async fn with_hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let queued = self.hashing_queue.clone().try_acquire_owned().map_err(|_| Error::Busy {
            message: "Too many people are signing in right now. Try again in a few seconds.".into(),
            retry_after_s: 3,
        })?;
        let place = self.hashing.clone().acquire_owned().await;
        let place = place.context("waiting to hash a password")?;
        // The places go along: the work does not end when nobody waits for it any more.
        let work = move || {
            let _places = (queued, place);
            work()
        };
        blocking(work).await
    }
}
