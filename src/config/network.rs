//! Addresses of machines, one by one or by networks.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One address, such as `10.0.0.7`, or all of a network, such as `10.0.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in it; one of IPv4 in the form of IPv6 is one of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Network(address.into())),
            Err(_) => text.parse().map(Network),
        }
    }
}

impl TryFrom<String> for Network {
    type Error = ipnet::AddrParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => self.0.addr().fmt(f),
            false => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        assert!(contains("10.0.0.7", "10.0.0.7") && !contains("10.0.0.7", "10.0.0.8"));
        assert!(contains("10.0.0.0/16", "10.0.255.1") && !contains("10.0.0.0/16", "10.1.0.1"));
        assert!(contains("10.0.0.0/16", "::ffff:10.0.0.9"));
        assert!(contains("fd00:7::/64", "fd00:7::9") && !contains("fd00:7::/64", "fd00:8::9"));
        assert!(!contains("0.0.0.0/0", "fd00:7::9"));
        for text in ["10.0.0.7", "10.0.0.0/16", "fd00:7::/64", "::1"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.0/33", "10.0.0", "proxy.internal", "10.0.0.7:80", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
