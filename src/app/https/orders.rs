//! What only the memory knows of certificates that are fetched: which one is under way, and those
//! that came and could not be stored yet. An authority issues few for the same name, so one that came
//! is not given up while the disk is full.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    domain::certificates::{Fault, Issued, Standing},
    tls::acme::Challenge,
};

/// A certificate that an authority has issued.
#[derive(Clone)]
pub struct Came {
    pub issued: Issued,
    pub challenge: Challenge,
}

#[derive(Default)]
pub struct Orders(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    under_way: Option<String>,
    /// By domain.
    unstored: HashMap<String, Came>,
    trouble: Option<Fault>,
}

impl Orders {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a domain until the end of the attempt.
    pub fn begin(&self, domain: &str) -> UnderWay<'_> {
        self.inner().under_way = Some(domain.to_owned());
        UnderWay(self)
    }

    pub fn keep(&self, domain: &str, came: Came) {
        self.inner().unstored.insert(domain.to_owned(), came);
    }

    pub fn stored(&self, domain: &str) {
        self.inner().unstored.remove(domain);
    }

    pub fn unstored(&self) -> HashMap<String, Came> {
        self.inner().unstored.clone()
    }

    /// Why nothing is fetched at all, such as a disk that is full; true when that is news.
    pub fn note_trouble(&self, trouble: Option<Fault>) -> bool {
        let mut inner = self.inner();
        let words = |fault: &Option<Fault>| fault.as_ref().map(|fault| fault.message.clone());
        let is_news = words(&inner.trouble) != words(&trouble);
        inner.trouble = trouble;
        is_news
    }

    /// What the records say, and what only this memory knows.
    pub fn complete(&self, standings: &mut [Standing]) {
        let inner = self.inner();
        for standing in standings {
            if inner.under_way.as_ref() == Some(&standing.domain) {
                standing.is_under_way = true;
                standing.fault = None;
            } else if let Some(trouble) = inner.trouble.as_ref().filter(|_| standing.is_under_way) {
                standing.is_under_way = false;
                standing.fault = Some(trouble.clone());
            }
            if let Some(came) = inner.unstored.get(&standing.domain) {
                standing.issuer = Some(came.issued.issuer.clone());
                standing.valid_until = Some(came.issued.valid_until);
            }
        }
    }
}

/// An attempt; over when it is dropped.
pub struct UnderWay<'a>(&'a Orders);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.inner().under_way = None;
    }
}
