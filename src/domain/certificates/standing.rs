//! How certificates stand, for people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Certificate, Fault, Terms, of_domains};
use crate::{error::Result, store::ReadTx};

/// How HTTPS stands for one domain, without a secret: for the administration, `doctor` and `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    pub domain: String,
    /// `None` until the first certificate is there.
    pub issuer: Option<String>,
    pub valid_until: Option<Timestamp>,
    /// `None` for what the portal does not renew.
    pub next_attempt_at: Option<Timestamp>,
    /// It is being fetched, or is about to be.
    #[serde(default)]
    pub is_under_way: bool,
    /// Of the last attempt, unless another one is under way.
    pub fault: Option<Fault>,
}

/// How these domains stand with what is to be fetched on these terms.
pub fn standing(tx: &ReadTx, domains: &[String], terms: &Terms) -> Result<Vec<Standing>> {
    let now = tx.now();
    let of_one = |certificate: Certificate| {
        let issued = certificate.usable(&terms.directory, now);
        let is_under_way = certificate.is_nearly_due(terms, now);
        Standing {
            issuer: issued.map(|issued| issued.issuer.clone()),
            valid_until: issued.map(|issued| issued.valid_until),
            next_attempt_at: Some(match is_under_way {
                true => now,
                false => certificate.next_attempt_at,
            }),
            is_under_way,
            fault: certificate.fault.clone().filter(|_| !is_under_way),
            domain: certificate.domain,
        }
    };
    Ok(of_domains(tx, domains)?.into_iter().map(of_one).collect())
}
