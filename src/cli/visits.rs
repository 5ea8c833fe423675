//! Visits the portal that runs, as a browser does: on this machine, and by its public address.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use reqwest::{Certificate, Client, Error as Fault, redirect::Policy};

use super::{Failure, Shell, ask::runtime, status};
use crate::{
    app::{Doors, Finding, Reporter},
    config::Config,
    control::{Reply, Request, Status, ask},
    web::{self, Heard},
};

/// Visitors do not wait longer either.
const PATIENCE: Duration = Duration::from_secs(10);

/// What works of the portal that runs on the data folder; nothing when none runs.
pub fn probe(shell: &Shell) -> Result<Vec<Finding>, Failure> {
    runtime()?.block_on(async {
        let Some(status) = status::of_server(shell).await? else { return Ok(Vec::new()) };
        let mut findings = vec![visit_here(shell, &status).await];
        findings.extend(visit_publicly(&status, &shell.config).await);
        let asked = ask(&shell.config.data, &Request::Probe, &Reporter::unheard()).await;
        match asked {
            Ok(Some(Reply::Findings(found))) => findings.extend(found),
            Ok(_) | Err(_) => findings.push(Finding::problem(
                "server",
                "The server does not try itself.",
                "Restart it, so that it and this program are the same version.",
            )),
        }
        Ok(findings)
    })
}

/// As the watchdog does: by whatever is spoken at the door.
async fn visit_here(shell: &Shell, status: &Status) -> Finding {
    let about = "web server";
    let doors = doors(status);
    let address = doors.http.or(doors.https).unwrap_or(status.listens_on);
    let begin = Instant::now();
    match web::probe(doors, &shell.config).await {
        Ok(Heard::Welcome) => {
            let took_ms = begin.elapsed().as_millis();
            Finding::fine(about, format!("It answers on {address} in {took_ms} ms."))
        }
        Ok(refusal) => Finding::problem(
            about,
            format!("It turns visitors on {address} away: {refusal}."),
            "Look at “appliance logs”: there may be more connections or requests than [limits] in \
             the configuration allows.",
        ),
        Err(fault) => Finding::problem(
            about,
            format!("It does not answer on {address}: {fault:#}."),
            "Look at “appliance logs”, then restart it.",
        ),
    }
}

/// Where the server that runs listens, in its own words.
fn doors(status: &Status) -> Doors {
    match &status.https {
        Some(standing) => Doors { http: standing.http, https: standing.https },
        None => Doors { http: Some(status.listens_on), https: None },
    }
}

/// As people come to it, with their view of its certificate. Those of an authority of one's own trust
/// what the configuration does.
async fn visit_publicly(status: &Status, config: &Config) -> Option<Finding> {
    let about = "public address";
    let url = &status.url;
    let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
    if host == status.listens_on.to_string() {
        return None;
    }
    let begin = Instant::now();
    Some(match visit(&format!("{url}/healthz"), roots(&config.https.ca_file)).await {
        Ok(200..=399) => {
            let took_ms = begin.elapsed().as_millis();
            Finding::fine(about, format!("{url} answers in {took_ms} ms."))
        }
        Ok(code) => Finding::problem(
            about,
            format!("{url} answers with {code}: something else may answer there."),
            "Look where the name leads, and at the proxy in front of the portal.",
        ),
        Err(fault) => Finding::problem(
            about,
            format!("{url} cannot be reached from this machine: {}.", deepest(&fault)),
            "Look at the record in the DNS, the firewall and, on EC2, the security group: TCP 80 \
             and 443 from anywhere. “appliance doctor” looks at them one by one.",
        ),
    })
}

/// The certificates in a file; what cannot be read is said where they are needed.
fn roots(file: &Path) -> Vec<Certificate> {
    let pem = fs::read(file).unwrap_or_default();
    Certificate::from_pem_bundle(&pem).unwrap_or_default()
}

/// The code of the answer; `trusted` are roots beside those of the machine.
pub async fn visit(url: &str, trusted: Vec<Certificate>) -> Result<u16, Fault> {
    let client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy();
    let client = client.tls_certs_merge(trusted).build()?;
    Ok(client.get(url).send().await?.status().as_u16())
}

fn deepest(fault: &Fault) -> String {
    let mut cause: &dyn std::error::Error = fault;
    while let Some(next) = cause.source() {
        cause = next;
    }
    anyhow!("{cause}").to_string()
}
