//! The one-time link with which the first administrator sets the portal up. It lives in memory: a
//! restart prints another.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::App;
use crate::{
    clock::Clock,
    domain::{
        organizations::Organization,
        secrets::{Secret, SecretHash},
        setup::{self, Setup},
        users::{Names, User},
    },
    error::{Error, Result},
    together::together,
};

const VALID: SignedDuration = SignedDuration::from_mins(30);

/// Which link is valid now, if any.
pub struct SetupLink {
    clock: Clock,
    current: Mutex<Option<(SecretHash, Timestamp)>>,
}

impl SetupLink {
    pub(super) fn new(clock: Clock) -> Self {
        SetupLink { clock, current: Mutex::new(None) }
    }

    /// A new link's secret, valid for 30 minutes; an earlier one stops working.
    pub fn issue(&self) -> Result<Secret> {
        let secret = Secret::random()?;
        self.set(Some((secret.hash(), self.clock.now() + VALID)));
        Ok(secret)
    }

    /// # Errors
    /// `NotFound` with what to do when the secret is wrong or too old.
    pub fn check(&self, secret: &str) -> Result<()> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((hash, until)) if hash.matches(secret) && *until > self.clock.now() => Ok(()),
            _ => Err(Error::NotFound(
                "This setup link is not valid any more. Run “appliance setup-link” on the server: it \
                 prints a new one."
                    .into(),
            )),
        }
    }

    /// Makes a valid link valid for another 30 minutes.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn renew(&self, secret: &str) -> Result<()> {
        self.check(secret)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, until)) = &mut *current {
            *until = self.clock.now() + VALID;
        }
        Ok(())
    }

    fn set(&self, current: Option<(SecretHash, Timestamp)>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = current;
    }
}

/// What the setup page sends.
#[derive(Clone, Debug)]
pub struct SetupForm {
    pub organization: String,
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub password: String,
}

impl App {
    /// Sets the portal up with a valid link, which is then used up.
    pub async fn set_up(&self, secret: &str, form: SetupForm) -> Result<(Organization, User)> {
        self.setup_link.check(secret)?;
        self.first_restores.require_none()?;
        let name = form.organization.clone();
        let name = self.store.read(move |tx| setup::organization_name(tx, &name)).await;
        let names = Names {
            full_name: form.full_name.clone(),
            username: form.username.clone(),
            email: form.email.clone(),
        };
        let password = self.first_password(form.password, names).await;
        let (_, password) = together((name, password))?;
        let setup = Setup {
            organization: form.organization,
            username: form.username,
            email: form.email,
            full_name: form.full_name,
            password,
        };
        let done = self.store.write(move |tx| setup::run(tx, setup)).await?;
        self.setup_link.set(None);
        Ok(done)
    }
}
