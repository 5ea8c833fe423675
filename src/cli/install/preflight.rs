//! What must be right before the first step. Each refusal is one sentence, and nothing has happened.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener},
};

use super::{Wanted, portal};
use crate::{
    cli::{Exit, Failure},
    domain::text,
    error::Error,
    host::{
        addresses, cloud, owner,
        places::{DATA, PORTS, SOCKET},
        ports, services,
    },
};

/// Gives what is worth a remark though nothing is wrong.
///
/// # Errors
/// With the first thing that must be put right.
pub fn check(wanted: &Wanted, any_address: bool) -> Result<Vec<String>, Failure> {
    machine("install")?;
    free_ports()?;
    if wanted.restore.is_some() && portal::has_data() {
        return Err(Failure::from(Error::conflict(format!(
            "There is a portal in {DATA} already. To put the backup in its place: “appliance \
             stop”, “appliance restore SOURCE --replace”, “appliance start”."
        ))));
    }
    if let Some(email) = &wanted.email {
        text::email(email)?;
    }
    let mut remarks = Vec::new();
    for domain in &wanted.domains {
        if !is_domain(domain) {
            return Err(Failure::usage(format!(
                "“{domain}” is no name of a host. Give it without https:// and without a path, \
                 such as docs.example.com."
            )));
        }
        if !any_address {
            remarks.extend(leads_here(domain)?);
        }
    }
    Ok(remarks)
}

/// Only root installs, and only where systemd keeps the services.
pub fn machine(verb: &str) -> Result<(), Failure> {
    if owner::own_user() != 0 {
        return Err(Failure::usage(format!("Only root can do this: sudo appliance {verb} …")));
    }
    if !services::are_kept() {
        return Err(Failure::usage(
            "This machine is not run by systemd, so there is nobody to keep the portal running. \
             Start it by hand, “appliance serve”, or from what starts services here.",
        ));
    }
    Ok(())
}

fn free_ports() -> Result<(), Failure> {
    // The socket of an earlier installation holds them for us.
    if services::look(SOCKET)?.is_active() {
        return Ok(());
    }
    for port in PORTS {
        let everywhere = [IpAddr::from(Ipv6Addr::UNSPECIFIED), IpAddr::from([0, 0, 0, 0])];
        let is_in_use = everywhere.iter().any(|ip| {
            let bound = TcpListener::bind(SocketAddr::new(*ip, port));
            bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
        });
        if is_in_use {
            let holder = match ports::listener(port) {
                Some(process) => format!("by {process}"),
                None => "by another process".into(),
            };
            return Err(Failure::in_use(format!(
                "Port {port} is in use {holder}. Stop that, and keep it from starting with the \
                 machine, then try again."
            )));
        }
    }
    Ok(())
}

/// Letters, digits and hyphens between dots (RFC 1123), and at least one dot: what a certificate can
/// be issued for.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = name.rsplit('.').next().is_some_and(|last| last.parse::<u32>().is_ok());
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) && !is_number
}

/// Whether visitors of a domain come to this machine: else the certificate authority would not
/// either. Gives a remark when it cannot be told.
fn leads_here(domain: &str) -> Result<Option<String>, Failure> {
    let own = addresses::own()?;
    let public = cloud::public_address();
    judge(domain, &addresses::of_name(domain), &own, public)
}

fn judge(
    domain: &str,
    found: &BTreeSet<IpAddr>,
    own: &BTreeSet<IpAddr>,
    public: Option<IpAddr>,
) -> Result<Option<String>, Failure> {
    let known: BTreeSet<IpAddr> = own.iter().copied().chain(public).collect();
    let reached: Vec<IpAddr> = known.iter().copied().filter(addresses::is_public).collect();
    let here = match (reached.as_slice(), own.first()) {
        ([], None) => "this machine".into(),
        ([], Some(own)) => own.to_string(),
        (reached, _) => list(reached),
    };
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            Error::conflict(format!(
                "{domain} does not exist in the DNS yet. Add a record of type A that leads to \
                 {here}, wait a minute, then try again."
            )),
        ));
    }
    let elsewhere: Vec<IpAddr> = found.difference(&known).copied().collect();
    if elsewhere.is_empty() {
        return Ok(None);
    }
    let all = list(&elsewhere);
    if elsewhere.len() < found.len() {
        return Ok(Some(format!(
            "{domain} leads to this machine, but also to {all}. Remove those records if they are \
             not meant."
        )));
    }
    // Behind somebody's router the machine cannot know the address outside.
    if reached.is_empty() && elsewhere.iter().any(addresses::is_public) {
        return Ok(Some(format!(
            "{domain} leads to {all}; whether that is this machine ({here}) cannot be told from \
             here."
        )));
    }
    Err(Failure::new(
        Exit::Failed,
        Error::conflict(format!(
            "{domain} leads to {all}, and this machine is {here}. Change the record in the DNS, \
             then try again; or add --any-address when a proxy or load balancer is between."
        )),
    ))
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(addresses: &[&str]) -> BTreeSet<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn judged(
        found: &[&str],
        own: &[&str],
        public: Option<&str>,
    ) -> Result<Option<String>, String> {
        let public = public.map(|address| address.parse().unwrap());
        judge("docs.example.com", &set(found), &set(own), public)
            .map_err(|failure| failure.sentence())
    }

    #[test]
    fn a_domain_must_lead_here() {
        assert_eq!(judged(&["198.51.100.7"], &["198.51.100.7"], None), Ok(None));
        // On EC2 the machine has a private address, and another outside.
        assert_eq!(judged(&["198.51.100.7"], &["172.31.0.9"], Some("198.51.100.7")), Ok(None));
        let elsewhere = judged(&["203.0.113.9"], &["172.31.0.9"], Some("198.51.100.7"));
        assert!(elsewhere.is_err_and(|sentence| sentence.contains("this machine is 198.51.100.7")));
        let private = judged(&["10.0.0.8"], &["10.0.0.7"], None);
        assert!(private.is_err_and(|sentence| sentence.contains("this machine is 10.0.0.7")));
        let missing = judged(&[], &["198.51.100.7"], None);
        assert!(missing.is_err_and(|sentence| sentence.contains("leads to 198.51.100.7")));
        let behind_a_router = judged(&["203.0.113.9"], &["192.168.0.9"], None);
        assert!(behind_a_router.is_ok_and(|remark| remark.is_some()));
        let several = judged(&["198.51.100.7", "203.0.113.9"], &["198.51.100.7"], None);
        assert!(several.is_ok_and(|remark| remark.is_some_and(|remark| remark.contains("203"))));
    }

    #[test]
    fn only_names_that_a_certificate_can_have_are_taken() {
        for name in ["docs.example.com", "a.b", "xn--bcher-kva.example"] {
            assert!(is_domain(name), "{name}");
        }
        for name in ["localhost", "https://a.b", "a.b/", "a..b", "-a.b", "10.0.0.7", "a b.c", ""] {
            assert!(!is_domain(name), "{name}");
        }
    }
}
