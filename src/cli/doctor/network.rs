//! The way to the portal: ports, the firewall, the DNS, and what EC2 has to do with it.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use crate::{
    app::Finding,
    cli::leading,
    config::{Config, is_domain},
    control::Status,
    host::{addresses, cloud, firewall, places::PORTS, ports},
};

/// A port that a firewall closes does not say no, it says nothing.
const PATIENCE: Duration = Duration::from_secs(3);

/// The port on this machine.
pub fn port(listen: SocketAddr, status: Option<&Status>) -> Finding {
    let about = "port";
    if let Some(status) = status {
        return Finding::fine(about, format!("The server listens on {}.", status.listens_on));
    }
    match TcpListener::bind(listen) {
        Ok(_) => Finding::fine(about, format!("{listen} is free.")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = match ports::listener(listen.port()) {
                Some(process) => format!("{listen} is in use by {process}."),
                None => format!("{listen} is in use by a process of another user."),
            };
            Finding::problem(about, holder, "Stop it, or choose another: --listen 127.0.0.1:8081")
        }
        Err(error) => {
            let message = format!("{listen} cannot be used: {error}.");
            Finding::problem(about, message, "Choose another: --listen 127.0.0.1:8080")
        }
    }
}

/// Whether people can come here: by the names of the portal, and through what is in between.
pub async fn from_outside(config: &Config, status: Option<&Status>) -> Vec<Finding> {
    let names = names(config, status);
    // Where it listens for this machine alone, nobody is meant to come.
    let is_local = match status {
        Some(status) => status.listens_on.ip().is_loopback(),
        None => config.listen.ip().is_loopback(),
    };
    if is_local && names.is_empty() {
        return Vec::new();
    }
    let look = move || {
        let public = cloud::public_address();
        let mut findings: Vec<Finding> = names.iter().map(|name| dns(name, public)).collect();
        findings.extend(closed_ports());
        findings.extend(public.map(reached));
        findings
    };
    // It waits for answers that may not come.
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// The names by which people come.
fn names(config: &Config, status: Option<&Status>) -> Vec<String> {
    let of_url = |url: &str| {
        let host = url.split_once("://").map_or(url, |(_, host)| host);
        host.rsplit_once(':').map_or(host, |(host, _)| host).to_owned()
    };
    // What the server says counts: domains can be set while it runs.
    let known = match status.and_then(|status| status.https.as_ref()) {
        Some(standing) => standing.domains.clone(),
        None => config.https.domains.clone(),
    };
    let public = config.public_url.as_deref().map(of_url);
    let mut names: Vec<String> = known.into_iter().chain(public).collect();
    names.retain(|name| is_domain(name));
    names.sort_unstable();
    names.dedup();
    names
}

fn dns(name: &str, public: Option<IpAddr>) -> Finding {
    let about = "DNS";
    let Ok(own) = addresses::own() else {
        return Finding::warning(
            about,
            "The addresses of this machine are unknown.",
            "Look: ip address",
        );
    };
    match leading::judge(name, &addresses::of_name(name), &own, public) {
        Ok(None) => Finding::fine(about, format!("{name} leads to this machine.")),
        Ok(Some(remark)) => Finding::fine(about, remark),
        Err(astray) => Finding::warning(about, astray.message, astray.remedy),
    }
}

fn closed_ports() -> Option<Finding> {
    let about = "firewall";
    let closed = firewall::closed(&PORTS).ok()?;
    let first = closed.first()?;
    Some(Finding::warning(
        about,
        format!("The firewall of this machine (ufw) keeps port {first} closed."),
        format!("ufw allow {first}/tcp"),
    ))
}

/// From here out and in again, as far as the security group lets that through.
fn reached(public: IpAddr) -> Finding {
    let about = "security group";
    let is_closed =
        |port: &u16| TcpStream::connect_timeout(&SocketAddr::new(public, *port), PATIENCE).is_err();
    let closed: Vec<String> =
        PORTS.iter().filter(|port| is_closed(port)).map(u16::to_string).collect();
    if closed.is_empty() {
        return Finding::fine(about, format!("Ports 80 and 443 are open at {public}."));
    }
    Finding::warning(
        about,
        format!("Port {} at {public} cannot be reached from here.", closed.join(" and ")),
        "Add inbound rules for TCP 80 and 443 from 0.0.0.0/0 and ::/0 to the security group of \
         this instance.",
    )
}

/// Whether Amazon's metadata service asks for a token; `None` elsewhere.
pub fn metadata_service() -> Option<Finding> {
    let about = "metadata service";
    Some(match cloud::answers_without_token()? {
        false => Finding::fine(about, "The metadata service of EC2 asks for a token (IMDSv2)."),
        true => Finding::warning(
            about,
            "The metadata service of EC2 answers without a token (IMDSv1): a program that can be \
             made to fetch an address could read the credentials of the instance's role.",
            "aws ec2 modify-instance-metadata-options --http-tokens required --instance-id ID",
        ),
    })
}
