//! Whether a name leads to this machine: for `install` and `doctor`.

use std::{collections::BTreeSet, net::IpAddr};

use crate::host::addresses;

/// It leads elsewhere, or nowhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Astray {
    /// A sentence.
    pub message: String,
    pub remedy: String,
}

/// Compares what the DNS says of a domain with the addresses of this machine, `own` ones and the one
/// that the world sees. Gives a remark when it cannot be told, or is not all.
pub fn judge(
    domain: &str,
    found: &BTreeSet<IpAddr>,
    own: &BTreeSet<IpAddr>,
    public: Option<IpAddr>,
) -> Result<Option<String>, Astray> {
    let known: BTreeSet<IpAddr> = own.iter().copied().chain(public).collect();
    let reached: Vec<IpAddr> = known.iter().copied().filter(addresses::is_public).collect();
    let here = match (reached.as_slice(), own.first()) {
        ([], None) => "this machine".into(),
        ([], Some(own)) => own.to_string(),
        (reached, _) => list(reached),
    };
    if found.is_empty() {
        return Err(Astray {
            message: format!("{domain} does not exist in the DNS yet."),
            remedy: format!("Add a record of type A that leads to {here}, and wait a minute."),
        });
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
    Err(Astray {
        message: format!("{domain} leads to {all}, and this machine is {here}."),
        remedy: "Change the record in the DNS, unless a proxy or load balancer is between.".into(),
    })
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
            .map_err(|astray| astray.message + " " + &astray.remedy)
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
}
