//! How many requests each address makes: a leaking bucket, told by the moment at which it will be
//! empty (GCRA, ITU-T I.371).

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::gate::network;

/// Requests at once: what comes in so many seconds at the steady rate.
const BURST_S: u32 = 2;
/// Addresses that are remembered before those are forgotten that have been quiet.
const REMEMBERED_MAX: usize = 20_000;

pub struct Rates {
    /// Between two requests at the steady rate; `None` without a limit.
    interval: Option<Duration>,
    empty_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Rates {
    pub fn new(per_second: u32) -> Self {
        let interval = (per_second > 0).then(|| Duration::from_secs(1) / per_second.max(1));
        Rates { interval, empty_at: Mutex::default() }
    }

    /// Counts a request; for one too many, how long to wait.
    pub fn count(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(interval) = self.interval else { return Ok(()) };
        let burst = Duration::from_secs(BURST_S.into());
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if empty_at.len() >= REMEMBERED_MAX {
            empty_at.retain(|_, at| *at > now);
            if empty_at.len() >= REMEMBERED_MAX {
                empty_at.clear();
            }
        }
        let at = empty_at.entry(network(address)).or_insert(now);
        let filled = (*at).max(now) + interval;
        if filled > now + burst {
            return Err(filled - (now + burst));
        }
        *at = filled;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_make_a_burst_and_then_goes_on_at_the_rate() {
        let rates = Rates::new(10);
        let (address, now) = ("192.0.2.1".parse().unwrap(), Instant::now());
        let taken = |at| (0..100).take_while(|_| rates.count(address, at).is_ok()).count();
        assert_eq!(taken(now), 20);
        assert_eq!(taken(now + Duration::from_secs(1)), 10);
        assert!(rates.count("192.0.2.2".parse().unwrap(), now).is_ok());
        let wait = rates.count(address, now + Duration::from_secs(1)).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one() {
        let rates = Rates::new(1);
        let now = Instant::now();
        let ask = |address: &str| rates.count(address.parse().unwrap(), now).is_ok();
        assert!(ask("2001:db8::1") && ask("2001:db8::2"));
        assert!(!ask("2001:db8::3"));
        assert!(ask("2001:db8:0:1::1"));
    }
}
