//! Who is in: how many connections there are, in all and from each address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::rates::Rates;
use crate::config::{Config, Network};

/// Refusals are told in the log so often, not each.
const TOLD_EVERY: Duration = Duration::from_secs(60);

pub struct Gate {
    connections_max: usize,
    per_address_max: u32,
    trusted_proxies: Vec<Network>,
    proxy_protocol: bool,
    /// For what TLS or the PROXY protocol needs, and for the first request.
    pub head_timeout: Duration,
    /// For a connection without a request, and for a reader that takes nothing.
    pub idle_timeout: Duration,
    pub rates: Rates,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    draining: CancellationToken,
    began: Instant,
    /// Seconds after `began`, so that a flood does not fill the log.
    told_at_s: AtomicU64,
}

/// Why nobody is let in.
#[derive(Clone, Copy, Debug)]
pub enum Full {
    All,
    Address,
}

impl Full {
    pub fn sentence(self) -> &'static str {
        match self {
            Full::All => "The server has too many connections. Try again in a moment.",
            Full::Address => "There are too many connections from your address. Close some.",
        }
    }
}

/// A place; given back when it is dropped.
pub struct Pass {
    gate: Arc<Gate>,
    address: Option<IpAddr>,
}

impl Gate {
    pub fn new(config: &Config) -> Self {
        Gate {
            connections_max: config.limits.connections as usize,
            per_address_max: config.limits.connections_per_address,
            trusted_proxies: config.trusted_proxies.clone(),
            proxy_protocol: config.proxy_protocol,
            head_timeout: Duration::from_secs(config.limits.head_seconds.into()),
            idle_timeout: Duration::from_secs(config.limits.idle_seconds.into()),
            rates: Rates::new(config.limits.requests_per_second),
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
            draining: CancellationToken::new(),
            began: Instant::now(),
            told_at_s: AtomicU64::new(0),
        }
    }

    /// True when the other end begins with the PROXY protocol.
    pub fn expects_proxy_header(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.trusts(peer)
    }

    /// Counted by nothing but the total: this machine, and proxies that stand for many.
    pub fn is_exempt(&self, address: IpAddr) -> bool {
        address.to_canonical().is_loopback() || self.trusts(address)
    }

    fn trusts(&self, proxy: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(proxy))
    }

    pub fn connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// A place in the total.
    pub fn enter(self: &Arc<Self>) -> Result<Pass, Full> {
        let before = self.open.fetch_add(1, Ordering::SeqCst);
        let pass = Pass { gate: self.clone(), address: None };
        match before < self.connections_max {
            true => Ok(pass),
            false => Err(self.full(Full::All)),
        }
    }

    /// From now on connections end as soon as no request is under way on them.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    fn full(&self, why: Full) -> Full {
        let now_s = self.began.elapsed().as_secs() + TOLD_EVERY.as_secs();
        let told_s = self.told_at_s.load(Ordering::Relaxed);
        if now_s >= told_s + TOLD_EVERY.as_secs() {
            self.told_at_s.store(now_s, Ordering::Relaxed);
            tracing::warn!(
                open = self.connections(),
                ?why,
                "connections are refused: see [limits]"
            );
        }
        why
    }
}

impl Pass {
    /// Counts it for an address too, once that is known.
    pub fn count_for(&mut self, address: IpAddr) -> Result<(), Full> {
        if self.gate.is_exempt(address) {
            return Ok(());
        }
        let network = network(address);
        let mut by_address = self.gate.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(network).or_insert(0);
        if *count >= self.gate.per_address_max {
            drop(by_address);
            return Err(self.gate.full(Full::Address));
        }
        *count += 1;
        self.address = Some(network);
        Ok(())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            let mut by_address =
                self.gate.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = by_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&address);
                }
            }
        }
        self.gate.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What one customer of a provider has: an IPv4 address, or a /64 of IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}
