//! What the DNS says of domains without a certificate. When it names an address that it did not name
//! before, somebody has mended it: the next attempt, which may be half a day away, is made soon.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use tokio::sync::watch;

use crate::{
    app::{App, stops_within},
    blocking::blocking,
    domain::certificates,
    error::Result,
    host::addresses,
};

const EVERY: Duration = Duration::from_secs(60);
/// From one attempt to another that an address brings about: an authority lets few fail in an hour.
const APART: SignedDuration = SignedDuration::from_mins(10);
/// A domain with more addresses changes them all the time, and nobody mends it by that.
const KNOWN_MAX: usize = 32;

/// Runs while the portal does.
pub async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut known = Known::default();
    while !stops_within(&mut stopped, EVERY).await {
        tokio::select! {
            looked = look(&app, &mut known) => if let Err(fault) = looked {
                tracing::warn!("looking domains up in the DNS: {}", fault.chain());
            },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

async fn look(app: &App, known: &mut Known) -> Result<()> {
    if app.acme_directory().is_none() {
        return Ok(());
    }
    let domains = app.domains();
    let mut failed = app.store.read(move |tx| certificates::of_domains(tx, &domains)).await?;
    failed.retain(|certificate| certificate.fault.is_some());
    known.0.retain(|domain, _| failed.iter().any(|certificate| certificate.domain == *domain));
    for certificate in failed {
        let domain = certificate.domain;
        let asked = domain.clone();
        let found = blocking(move || Ok(addresses::of_name(&asked))).await?;
        let may_try = certificate.attempted_at.is_none_or(|at| at + APART <= app.clock.now());
        if known.has_new(&domain, &found) && may_try {
            tracing::info!(domain, "the DNS names another address: a certificate is tried for");
            known.add(&domain, found);
            app.store.write(move |tx| certificates::try_soon(tx, &[domain])).await?;
            app.look_at_certificates();
        }
    }
    Ok(())
}

/// The addresses of each domain with which it was tried, as far as that is known: one that changes by
/// turns is no news.
#[derive(Default)]
struct Known(HashMap<String, BTreeSet<IpAddr>>);

impl Known {
    fn has_new(&mut self, domain: &str, found: &BTreeSet<IpAddr>) -> bool {
        match self.0.get(domain) {
            Some(known) => known.len() < KNOWN_MAX && !found.is_subset(known),
            None => {
                self.0.insert(domain.to_owned(), found.clone());
                false
            }
        }
    }

    fn add(&mut self, domain: &str, found: BTreeSet<IpAddr>) {
        self.0.entry(domain.to_owned()).or_default().extend(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_appears_is_news_and_one_that_goes_is_not() {
        let set = |addresses: &[&str]| -> BTreeSet<IpAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let (none, one) = (set(&[]), set(&["198.51.100.7"]));
        let mut known = Known::default();
        assert!(!known.has_new("docs.example.com", &none), "so it was when it failed");
        assert!(known.has_new("docs.example.com", &one));
        assert!(known.has_new("docs.example.com", &one), "until it is tried");
        assert!(!known.has_new("www.example.com", &one));
        assert!(!known.has_new("www.example.com", &none));
        let two = set(&["198.51.100.7", "198.51.100.8"]);
        assert!(known.has_new("www.example.com", &two));
        known.add("www.example.com", two.clone());
        known.add("www.example.com", set(&["198.51.100.9"]));
        assert!(!known.has_new("www.example.com", &two), "by turns");
        known.add("www.example.com", (0..32).map(|it| IpAddr::from([10, 0, 0, it])).collect());
        assert!(!known.has_new("www.example.com", &set(&["198.51.100.10"])), "without end");
    }
}
