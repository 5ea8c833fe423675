//! `appliance https`: how HTTPS stands; and what of it is set while the portal runs.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    output::{self, minute},
};
use crate::{
    app::{CertificateSource, HttpsStanding},
    control::{Change, HttpsChange, Reply, Request},
    domain::certificates::Standing,
};

/// A certificate is there within seconds, or it is not for a reason that takes longer.
pub const PATIENCE: Duration = Duration::from_secs(90);
pub const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Fetch what is missing or failed now, instead of at the next attempt: after a change of the
    /// DNS, a firewall or a proxy
    #[arg(long)]
    fetch: bool,
    /// Do not wait until the certificates are there
    #[arg(long, requires = "fetch")]
    no_wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Exit code 3 when a certificate could not be fetched.
pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    let standing = match arguments.fetch {
        true => wait(shell, ask(shell, Request::FetchCertificates)?, !arguments.no_wait)?,
        false => ask(shell, Request::Https)?,
    };
    match arguments.json {
        true => {
            let json = serde_json::to_value(&standing).map_err(|fault| anyhow::anyhow!(fault))?;
            output::print_json(&json)?;
        }
        false => output::print(&shown(&standing))?,
    }
    Ok(exit(&standing))
}

/// What can be set without a restart. It is kept with the data, and wins over the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Live {
    #[value(alias = "domains")]
    Domain,
    Email,
}

impl Live {
    /// The change to these values; several in one are separated by commas.
    pub fn to(self, values: &[String]) -> Result<HttpsChange, Failure> {
        let mut values: Vec<String> =
            values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect();
        let mut change = HttpsChange::default();
        match self {
            Live::Domain => change.domains = Change::Set(values),
            Live::Email if values.len() == 1 => change.email = Change::Set(values.remove(0)),
            Live::Email => return Err(Failure::usage("Name one address.")),
        }
        Ok(change)
    }

    /// The change to what the configuration says.
    pub fn gone(self) -> HttpsChange {
        let mut change = HttpsChange::default();
        match self {
            Live::Domain => change.domains = Change::Unset,
            Live::Email => change.email = Change::Unset,
        }
        change
    }
}

pub fn set(shell: &Shell, change: HttpsChange, waits: bool) -> Result<Exit, Failure> {
    let standing = wait(shell, ask(shell, Request::SetHttps(change))?, waits)?;
    output::print(&shown(&standing))?;
    Ok(exit(&standing))
}

/// Until the certificates are there, or it is clear why not.
fn wait(shell: &Shell, standing: HttpsStanding, waits: bool) -> Result<HttpsStanding, Failure> {
    let (mut standing, began) = (standing, Instant::now());
    while waits && is_under_way(&standing) && began.elapsed() < PATIENCE {
        std::thread::sleep(PAUSE);
        standing = ask(shell, Request::Https)?;
    }
    Ok(standing)
}

pub fn exit(standing: &HttpsStanding) -> Exit {
    let has_fault = standing.certificates.iter().any(|one| one.fault.is_some());
    if has_fault { Exit::Partly } else { Exit::Done }
}

fn ask(shell: &Shell, request: Request) -> Result<HttpsStanding, Failure> {
    match shell.ask(request)? {
        Reply::Https(standing) => Ok(*standing),
        other => Err(unexpected(&other)),
    }
}

pub fn is_under_way(standing: &HttpsStanding) -> bool {
    standing.certificates.iter().any(|one| one.is_under_way)
}

fn shown(standing: &HttpsStanding) -> String {
    let from = if standing.are_domains_set { "set here" } else { "by the configuration" };
    let mut text = match standing.domains.as_slice() {
        [] => "The portal has no domain.\n".to_owned(),
        domains => format!("domains   {} ({from})\n", domains.join(", ")),
    };
    if !standing.email.is_empty() {
        text.push_str(&format!("email     {}\n", standing.email));
    }
    for certificate in &standing.certificates {
        text.push_str(&of_one(certificate));
    }
    match standing.source {
        CertificateSource::None if !standing.domains.is_empty() => text.push_str(
            "No server that speaks HTTPS runs on this data: set listen_https, and start it.\n",
        ),
        CertificateSource::SelfSigned => {
            text.push_str("The certificate vouches for itself: browsers warn.\n");
        }
        _ => {}
    }
    if let Some(url) = &standing.url {
        text.push_str(&format!("open      {url}\n"));
    }
    text
}

/// What a person wants to know of one certificate.
pub fn of_one(standing: &Standing) -> String {
    let Standing { domain, issuer, valid_until, next_attempt_at, fault, .. } = standing;
    let mut text = match (issuer, valid_until) {
        (Some(issuer), Some(until)) => {
            format!("{domain}: a certificate of {issuer}, until {}\n", minute(*until))
        }
        _ if fault.is_some() => format!("{domain}: no certificate\n"),
        _ => format!("{domain}: the certificate is on its way\n"),
    };
    if let Some(fault) = fault {
        text.push_str(&format!("  {}\n  → {}\n", fault.message, fault.remedy));
        if let Some(next) = next_attempt_at {
            let next = minute(*next);
            text.push_str(&format!(
                "  The next attempt is made at {next}; at once: appliance https --fetch\n"
            ));
        }
    }
    text
}
