//! When a certificate is fetched, and what came of it.

use jiff::{SignedDuration, Timestamp};

use super::{Certificate, Fault, Issued, Terms, of_domain, of_domains};
use crate::{
    domain::access::{Action, Actor, decide},
    error::{Error, Result},
    store::WriteTx,
};

/// After a failure, and after each one that follows it. Let's Encrypt lets five proofs of a name
/// fail in an hour, and one attempt makes up to two.
const WAITS: [SignedDuration; 6] = [
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(12),
];
/// From one attempt to another that somebody asks for, by "try now" or a changed setting: whoever
/// presses on has the domain locked out.
const PATIENCE: SignedDuration = SignedDuration::from_secs(20);

/// Notes that an attempt is made now, before it is: a certificate that is ordered counts at the
/// authority whatever becomes of it here, so there must be a pause also when nothing more can be
/// noted.
pub fn begin_attempt(tx: &mut WriteTx, domain: &str, terms: Terms) -> Result<()> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    if certificate.attempted_with.as_ref() != Some(&terms) {
        certificate.failures = 0;
        certificate.fault = None;
        certificate.not_before = None;
    }
    let now = tx.now();
    certificate.next_attempt_at = now + certificate.wait();
    certificate.attempted_at = Some(now);
    certificate.attempted_with = Some(terms);
    tx.put(&certificate)
}

/// Keeps a new certificate and forgets what went wrong before. `chance`, from 0 to 1, spreads the
/// renewals of many portals over time.
pub fn note_issued(
    tx: &mut WriteTx,
    domain: &str,
    issued: Issued,
    challenge: &str,
    chance: f64,
) -> Result<()> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    certificate.next_attempt_at = renewal_of(&issued, chance);
    certificate.attempted_at = Some(tx.now());
    certificate.issued = Some(issued);
    certificate.failures = 0;
    certificate.fault = None;
    certificate.not_before = None;
    certificate.challenge = Some(challenge.to_owned());
    tx.put(&certificate)
}

/// Notes why it failed and when the next attempt is made: after a pause that grows, and not before
/// the authority said.
pub fn note_failure(
    tx: &mut WriteTx,
    domain: &str,
    message: String,
    remedy: String,
    not_before: Option<Timestamp>,
) -> Result<Certificate> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    let now = tx.now();
    let wait = certificate.wait();
    certificate.failures = certificate.failures.saturating_add(1);
    certificate.next_attempt_at = not_before.map_or(now + wait, |at| at.max(now + wait));
    certificate.not_before = not_before;
    certificate.attempted_at = Some(now);
    certificate.fault = Some(Fault { at: now, message, remedy });
    tx.put(&certificate)?;
    Ok(certificate)
}

/// The authority asks for another time than ours (RFC 9773).
pub fn move_renewal(tx: &mut WriteTx, domain: &str, at: Timestamp) -> Result<()> {
    tx.draw_on_reserve();
    let mut certificate = of_domain(tx, domain)?;
    if certificate.fault.is_none() {
        certificate.next_attempt_at = at;
        tx.put(&certificate)?;
    }
    Ok(())
}

/// Makes the next attempt of these domains due now.
///
/// # Errors
/// `TooMany` when one was made a moment ago.
pub fn try_now(tx: &mut WriteTx, actor: &Actor, domains: &[String]) -> Result<()> {
    decide(actor, Action::Operate)?;
    let now = tx.now();
    let all = of_domains(tx, domains)?;
    if let Some(last) = all.iter().filter_map(|one| one.attempted_at).max()
        && now.duration_since(last) < PATIENCE
    {
        return Err(Error::TooMany {
            message:
                "An attempt was just made. Look at what came of it, and try again in a moment."
                    .into(),
            retry_after_s: PATIENCE.as_secs().unsigned_abs(),
        });
    }
    for mut certificate in all.into_iter().filter(|one| one.issued.is_none() || one.fault.is_some())
    {
        certificate.next_attempt_at = now;
        tx.put(&certificate)?;
    }
    Ok(())
}

/// Brings the next attempt of these domains near where the last one failed: somebody has changed what
/// they depend on, perhaps in the DNS. Not before the authority said, all the same.
pub fn try_soon(tx: &mut WriteTx, domains: &[String]) -> Result<()> {
    let now = tx.now();
    let faulty = of_domains(tx, domains)?.into_iter().filter(|one| one.fault.is_some());
    for mut certificate in faulty {
        let told = [certificate.earliest_attempt(), certificate.not_before];
        let earliest = told.into_iter().flatten().fold(now, Timestamp::max);
        certificate.next_attempt_at = certificate.next_attempt_at.min(earliest);
        tx.put(&certificate)?;
    }
    Ok(())
}

impl Certificate {
    /// True when it is time to fetch or renew it.
    pub fn is_due(&self, terms: &Terms, now: Timestamp) -> bool {
        self.next_attempt(terms, now) <= now
    }

    /// True when that time has come, or comes while somebody waits for it.
    pub(super) fn is_nearly_due(&self, terms: &Terms, now: Timestamp) -> bool {
        self.next_attempt(terms, now) <= now + PATIENCE
    }

    /// What is missing or failed is due at once on other terms than the last: neither that failure
    /// nor a certificate from elsewhere says anything about when the first from here is due.
    fn next_attempt(&self, terms: &Terms, now: Timestamp) -> Timestamp {
        let is_wanting = self.fault.is_some() || self.usable(&terms.directory, now).is_none();
        let is_as_before = self.attempted_with.as_ref() == Some(terms);
        match self.earliest_attempt().filter(|_| is_wanting && !is_as_before) {
            Some(earliest) => self.next_attempt_at.min(earliest),
            None => self.next_attempt_at,
        }
    }

    fn earliest_attempt(&self) -> Option<Timestamp> {
        self.attempted_at.map(|at| at + PATIENCE)
    }

    /// From an attempt that fails to the next.
    fn wait(&self) -> SignedDuration {
        WAITS[(self.failures as usize).min(WAITS.len() - 1)]
    }
}

/// At two thirds of the lifetime, give or take a little.
fn renewal_of(issued: &Issued, chance: f64) -> Timestamp {
    let lifetime_s = issued.valid_until.duration_since(issued.valid_from).as_secs().max(0);
    let jitter_s = (lifetime_s as f64 / 20.0) * (chance.clamp(0.0, 1.0) - 0.5);
    let after_s = (lifetime_s / 3 * 2).saturating_add(jitter_s as i64);
    issued.valid_from + SignedDuration::from_secs(after_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ChallengeChoice, domain::certificates::Hidden};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn issued(days: i64) -> Issued {
        let valid_from = at("2026-11-01T00:00:00Z");
        Issued {
            chain: String::new(),
            key: Hidden::new("secret"),
            directory: "https://production".into(),
            issuer: String::new(),
            valid_from,
            valid_until: valid_from + SignedDuration::from_hours(24 * days),
        }
    }

    fn terms(directory: &str) -> Terms {
        Terms {
            directory: directory.into(),
            email: String::new(),
            challenge: ChallengeChoice::Auto,
            ca_file: Default::default(),
        }
    }

    #[test]
    fn a_certificate_is_renewed_at_about_two_thirds_of_its_life() {
        let after = |chance| {
            let of = issued(90);
            renewal_of(&of, chance).duration_since(of.valid_from).as_hours()
        };
        assert_eq!(after(0.5), 60 * 24);
        assert!((57 * 24..60 * 24).contains(&after(0.0)), "{}", after(0.0));
        assert!((60 * 24 + 1..63 * 24).contains(&after(1.0)), "{}", after(1.0));
    }

    #[test]
    fn an_attempt_counts_for_its_own_terms() {
        let now = at("2026-11-02T00:00:00Z");
        let certificate = |issued, attempted_with| Certificate {
            domain: "docs.example.com".into(),
            issued,
            next_attempt_at: now + SignedDuration::from_hours(3),
            not_before: None,
            attempted_at: Some(now - SignedDuration::from_mins(1)),
            attempted_with,
            failures: 3,
            fault: None,
            challenge: None,
        };
        let (here, elsewhere) = (terms("https://production"), terms("https://staging"));
        let missing = certificate(None, Some(here.clone()));
        assert!(!missing.is_due(&here, now), "it was just tried");
        assert!(missing.is_due(&elsewhere, now));
        assert!(!missing.is_due(&elsewhere, now - SignedDuration::from_secs(50)), "not at once");
        let good = certificate(Some(issued(90)), Some(elsewhere.clone()));
        assert!(!good.is_due(&here, now), "it is there");
        assert!(certificate(Some(issued(90)), Some(here)).is_due(&elsewhere, now));
    }
}
