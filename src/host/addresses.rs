//! The addresses of this machine, and those of a name.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs},
};

use anyhow::Context;

use crate::error::Result;

/// What a name stands for in the DNS; empty when it does not exist or nobody can be asked.
pub fn of_name(name: &str) -> BTreeSet<IpAddr> {
    let found = (name, 0).to_socket_addrs().into_iter().flatten();
    found.map(|address| address.ip().to_canonical()).collect()
}

/// The addresses of this machine's own network interfaces, without those that lead to itself.
pub fn own() -> Result<BTreeSet<IpAddr>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the call makes a list and puts its beginning where we say; on success it is ours, and
    // `freeifaddrs` below gives it back, once.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error()).context("asking for the network interfaces")?;
    }
    let mut found = BTreeSet::new();
    let mut next = list;
    // SAFETY: every element is valid until the list is given back, and ends with a null pointer.
    while let Some(interface) = unsafe { next.as_ref() } {
        // SAFETY: null or an address of the family that it names (getifaddrs(3)).
        found.extend(unsafe { address(interface.ifa_addr) });
        next = interface.ifa_next;
    }
    // SAFETY: see above; nothing refers to the list any more.
    unsafe { libc::freeifaddrs(list) };
    found.retain(|address| !address.is_loopback() && !is_link_local(address));
    Ok(found)
}

/// # Safety
/// `address` is null or points to a whole socket address of the family that it names.
unsafe fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise.
    let family = unsafe { address.as_ref() }?.sa_family;
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says what it is; the caller promises that it is whole.
            let address = unsafe { &*address.cast::<libc::sockaddr_in>() };
            Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: likewise.
            let address = unsafe { &*address.cast::<libc::sockaddr_in6>() };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// True for an address that the whole internet can reach: no private, shared, or local one.
pub fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // RFC 6598: between a provider and its customers.
            let is_shared = first == 100 && (64..128).contains(&second);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_unique_local()
                || address.is_loopback()
                || address.is_unicast_link_local()
                || address.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_knows_its_own_addresses_and_what_is_public() {
        let own = own().unwrap();
        assert!(own.iter().all(|address| !address.is_loopback()), "{own:?}");
        assert!(is_public(&"198.51.100.7".parse().unwrap()));
        for private in
            ["10.0.0.7", "172.31.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "fd00::1"]
        {
            assert!(!is_public(&private.parse().unwrap()), "{private}");
        }
        assert!(of_name("localhost").iter().all(IpAddr::is_loopback));
    }
}
