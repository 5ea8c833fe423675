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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::certificates::Hidden;

    fn missing(domain: &str) -> Standing {
        Standing {
            domain: domain.into(),
            issuer: None,
            valid_until: None,
            next_attempt_at: Some(Timestamp::UNIX_EPOCH),
            is_under_way: true,
            fault: None,
        }
    }

    fn completed(orders: &Orders) -> Standing {
        let mut standings = [missing("docs.example.com")];
        orders.complete(&mut standings);
        let [standing] = standings;
        standing
    }

    #[test]
    fn what_came_is_there_before_it_is_stored() {
        let orders = Orders::default();
        let issued = Issued {
            chain: String::new(),
            key: Hidden::new("secret"),
            directory: String::new(),
            issuer: "Northlight".into(),
            valid_from: Timestamp::UNIX_EPOCH,
            valid_until: Timestamp::MAX,
        };
        orders.keep("docs.example.com", Came { issued, challenge: Challenge::Http01 });
        assert_eq!(completed(&orders).valid_until, Some(Timestamp::MAX));
        assert!(orders.unstored().contains_key("docs.example.com"));
        orders.stored("docs.example.com");
        assert!(orders.unstored().is_empty());
    }

    #[test]
    fn what_holds_everything_up_is_told_where_somebody_waits() {
        let orders = Orders::default();
        let trouble = |message: &str| {
            let message = message.to_owned();
            Some(Fault { at: Timestamp::UNIX_EPOCH, message, remedy: String::new() })
        };
        assert!(orders.note_trouble(trouble("The disk is full.")));
        assert!(!orders.note_trouble(trouble("The disk is full.")), "once is enough for the log");
        let standing = completed(&orders);
        assert_eq!(standing.fault, trouble("The disk is full."));
        assert!(!standing.is_under_way, "nobody waits in vain");
        // An attempt that is made nevertheless is one.
        let attempt = orders.begin("docs.example.com");
        assert!(completed(&orders).is_under_way);
        drop(attempt);
        assert!(orders.note_trouble(None));
        assert_eq!(completed(&orders).fault, None);
    }
}
