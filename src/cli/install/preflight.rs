//! What must be right before the first step. Each refusal is one sentence, and nothing has happened.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};

use super::{Wanted, accounts, folders::Configuration, portal, program};
use crate::{
    cli::{Failure, leading},
    config::{is_domain, is_email},
    domain::text,
    error::Error,
    host::{
        addresses, cloud, owner,
        places::{DATA, PORTS, SOCKET},
        ports, systemd,
    },
    version::{self, Version},
};

/// Gives what is worth a remark though nothing is wrong.
///
/// # Errors
/// With the first thing that must be put right.
pub fn check(wanted: &Wanted, any_address: bool) -> Result<Vec<String>, Failure> {
    no_newer()?;
    free_ports()?;
    if wanted.restore.is_some() && portal::has_data() {
        return Err(Failure::from(Error::conflict(format!(
            "There is a portal in {DATA} already. To put the backup in its place: “appliance \
             stop”, “appliance restore SOURCE --replace”, “appliance start”."
        ))));
    }
    if wanted.restore.is_some()
        && let Some(found) = portal::found_in_data()?
    {
        return Err(Failure::from(Error::conflict(format!(
            "{DATA} is not empty: it holds {found}. A restore begins with an empty folder, and is \
             undone by emptying it. Move away what is there."
        ))));
    }
    Configuration::check()?;
    accounts::check()?;
    if let Some(email) = &wanted.email {
        text::email(email)?;
        if !wanted.domains.is_empty() && !is_email(email) {
            return Err(Failure::usage(format!(
                "“{email}” is no address that a certificate authority can write to. It looks like \
                 ops@example.com; letters beyond ASCII are written as xn--…."
            )));
        }
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
    if !systemd::are_kept() {
        return Err(Failure::usage(
            "This machine is not run by systemd, so there is nobody to keep the portal running. \
             Start it by hand, “appliance serve”, or from what starts services here.",
        ));
    }
    Ok(())
}

/// What is installed already is no newer, and its records need no conversion: of those two an update
/// knows more.
fn no_newer() -> Result<(), Failure> {
    // One that does not run is repaired by being replaced.
    let Some(installed) = program::installed() else { return Ok(()) };
    let own = Version::own();
    if installed.version > own {
        return Err(Failure::from(Error::conflict(format!(
            "Version {} is installed, and this is {own}, which is older. Nothing was changed. To go \
             back to a version that ran here: appliance rollback. To take this one all the same: \
             appliance update --allow-older FILE",
            installed.version
        ))));
    }
    if installed.records < version::records() && portal::has_data() {
        return Err(Failure::from(Error::conflict(format!(
            "Version {} is installed, and this is {own}, which converts its records. Nothing was \
             changed. An update rehearses that, and can go back: appliance update FILE",
            installed.version
        ))));
    }
    Ok(())
}

fn free_ports() -> Result<(), Failure> {
    // The socket of an earlier installation holds them for us.
    if systemd::look(SOCKET)?.is_active() {
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

/// Whether visitors of a domain come to this machine: else the certificate authority would not
/// either. Gives a remark when it cannot be told.
fn leads_here(domain: &str) -> Result<Option<String>, Failure> {
    let (own, public) = (addresses::own()?, cloud::public_address());
    leading::judge(domain, &addresses::of_name(domain), &own, public).map_err(|astray| {
        Failure::from(Error::conflict(format!(
            "{} {} Then try again; --any-address goes on all the same.",
            astray.message, astray.remedy
        )))
    })
}
