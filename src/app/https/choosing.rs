//! What is shown to whom.

use std::{collections::HashMap, net::Ipv6Addr};

use jiff::{SignedDuration, Timestamp};

use super::orders::Came;
use crate::{
    app::App,
    domain::certificates::{self, Certificate, Hidden, SelfSigned},
    error::Result,
    store::ReadTx,
    tls::{KeyPair, self_signed},
};

/// A self-signed certificate is made anew so long before its end.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What the server is for whoever knocks: what each request is judged by.
#[derive(Clone, Debug, Default)]
pub struct Face {
    /// The names of the portal, the main one first.
    pub domains: Vec<String>,
    /// The port of HTTPS, when the server speaks it.
    pub https_port: Option<u16>,
    http_port: Option<u16>,
    /// The address that the configuration gives, without a slash at its end.
    public_url: Option<String>,
    /// The names in certificates that browsers believe; one may begin with `*.`.
    believed: Vec<String>,
    /// When the first of those certificates ends, and it is no longer as it is said here.
    pub(super) until: Option<Timestamp>,
}

impl Face {
    /// True when a browser that opens `https://host/` meets a certificate that it believes.
    pub fn is_believed(&self, host: &str) -> bool {
        self.https_port.is_some() && self.believed.iter().any(|name| matches(name, host))
    }

    /// The origin on HTTPS where `host` is to be asked instead: its own, or the main domain's.
    pub fn secure_origin(&self, host: &str) -> Option<String> {
        let host = match self.is_believed(host) {
            true => host,
            false => self.domains.first().filter(|main| self.is_believed(main))?,
        };
        // People may come to another port than the one listened on, which the machine passes on.
        let published = self.public_url.as_ref().filter(|url| {
            url.starts_with("https://") && host_of(url).is_some_and(|name| name == host)
        });
        published.cloned().or_else(|| Some(origin("https", host, self.https_port?, 443)))
    }

    /// Where the main domain is open: on HTTPS once its certificate is believed.
    pub fn url(&self) -> Option<String> {
        let main = self.domains.first()?;
        let secure = self.https_port.map(|port| origin("https", main, port, 443));
        let plain = self.http_port.map(|port| origin("http", main, port, 80));
        if self.is_believed(main) { secure } else { plain.or(secure) }
    }

    /// Takes the names of a certificate that browsers believe.
    fn believe(&mut self, names: &[String], until: Timestamp) {
        self.believed.extend_from_slice(names);
        self.until = Some(self.until.map_or(until, |earliest| earliest.min(until)));
    }
}

/// True when a name, or a pattern that begins with `*.`, stands for a host.
pub fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == host,
    }
}

fn origin(scheme: &str, host: &str, port: u16, implied: u16) -> String {
    let host = match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    };
    match port == implied {
        true => format!("{scheme}://{host}"),
        false => format!("{scheme}://{host}:{port}"),
    }
}

impl App {
    /// Chooses anew what is shown for which name.
    pub(super) async fn show_certificates(&self) -> Result<()> {
        let _turn = self.https.showing.lock().await;
        let (domains, doors) = (self.domains(), self.https.doors());
        let public_url = self.config.public_url.as_ref();
        let mut face = Face {
            https_port: doors.https.map(|address| address.port()),
            http_port: doors.http.map(|address| address.port()),
            domains: domains.clone(),
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            ..Face::default()
        };
        if doors.https.is_some() {
            let own = self.https.files.lock().await.pair.clone();
            match own {
                Some(own) => {
                    // One that has run out is shown none the less: it was chosen.
                    if !own.is_self_signed && self.clock.now() < own.valid_until {
                        face.believe(&own.names, own.valid_until);
                    }
                    self.https.keyring.show(&[], &own);
                }
                None => self.show_issued(&domains, &mut face).await?,
            }
        }
        self.https.face.store(face.into());
        Ok(())
    }

    /// Shows what authorities have issued, and the self-signed one for the rest.
    async fn show_issued(&self, domains: &[String], face: &mut Face) -> Result<()> {
        let directory = self.acme_directory().map(str::to_owned);
        let issued = {
            let (domains, unstored) = (domains.to_vec(), self.https.orders.unstored());
            self.store.read(move |tx| usable(tx, &domains, unstored, directory.as_deref())).await?
        };
        let own = self.self_signed(domains).await?;
        let mut by_name = Vec::new();
        for domain in domains {
            let found = issued.iter().find(|(name, ..)| name == domain);
            let pair = found.map_or(&own, |(_, pair, _)| pair);
            by_name.push((domain.clone(), pair.clone()));
            if found.is_some_and(|(.., is_trusted)| *is_trusted) {
                face.believe(std::slice::from_ref(domain), pair.valid_until);
            }
        }
        let otherwise = by_name.first().map_or(&own, |(_, pair)| pair);
        self.https.keyring.show(&by_name, otherwise);
        Ok(())
    }

    /// The certificate that vouches for itself, made when there is none for these names.
    async fn self_signed(&self, domains: &[String]) -> Result<KeyPair> {
        let names = self.own_names(domains);
        let now = self.clock.now();
        let kept = self.store.read(certificates::self_signed).await?;
        let usable = |kept: &SelfSigned| {
            kept.names == names && kept.valid_until.duration_since(now) > RENEWED_BEFORE
        };
        if let Some(kept) = kept.filter(usable)
            && let Ok(pair) = KeyPair::from_pem(kept.chain.as_bytes(), kept.key.reveal().as_bytes())
        {
            return Ok(pair);
        }
        let made = self_signed(&names, now)?;
        let pair = KeyPair::from_pem(made.chain.as_bytes(), made.key.as_bytes())?;
        let record = SelfSigned {
            names,
            chain: made.chain,
            key: Hidden::new(made.key),
            valid_until: made.valid_until,
        };
        self.store.write(move |tx| certificates::keep_self_signed(tx, &record)).await?;
        Ok(pair)
    }

    pub(super) async fn is_self_signed_old(&self) -> Result<bool> {
        let kept = self.store.read(certificates::self_signed).await?;
        let left = kept.map(|kept| kept.valid_until.duration_since(self.clock.now()));
        Ok(left.is_some_and(|left| left <= RENEWED_BEFORE))
    }

    fn own_names(&self, domains: &[String]) -> Vec<String> {
        let published = self.config.public_url.as_deref().and_then(host_of);
        let hosts = self.config.allowed_hosts.iter().map(String::as_str);
        let hosts = hosts.filter(|host| *host != "*").chain(published.as_deref());
        let hosts = hosts.chain(["localhost", "127.0.0.1", "::1"]);
        let mut names = domains.to_vec();
        for host in hosts.map(|host| host.trim_matches(['[', ']']).to_owned()) {
            if !names.contains(&host) {
                names.push(host);
            }
        }
        names
    }
}

/// The name in an origin such as `https://docs.example.com:8443`, in lower case.
pub fn host_of(origin: &str) -> Option<String> {
    let (_, authority) = origin.split_once("://")?;
    let authority = authority.split('/').next().unwrap_or(authority);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    host.map(str::to_ascii_lowercase)
}

/// The certificates that have not run out, and whether browsers believe them. One from another
/// directory than today's is better than none.
fn usable(
    tx: &ReadTx,
    domains: &[String],
    mut unstored: HashMap<String, Came>,
    directory: Option<&str>,
) -> Result<Vec<(String, KeyPair, bool)>> {
    let mut found = Vec::new();
    for Certificate { domain, issued, .. } in certificates::of_domains(tx, domains)? {
        let issued = unstored.remove(&domain).map(|came| came.issued).or(issued);
        let Some(issued) = issued.filter(|issued| tx.now() < issued.valid_until) else { continue };
        match KeyPair::from_pem(issued.chain.as_bytes(), issued.key.reveal().as_bytes()) {
            Ok(pair) => {
                let is_staging = issued.directory.contains("staging");
                let is_of_today = directory == Some(issued.directory.as_str());
                found.push((domain, pair, is_of_today && !is_staging));
            }
            Err(fault) => tracing::error!(domain, "a stored certificate cannot be used: {fault:#}"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(public_url: Option<&str>, believed: &[&str]) -> Face {
        Face {
            domains: vec!["docs.example.com".into()],
            https_port: Some(8443),
            public_url: public_url.map(str::to_owned),
            believed: believed.iter().map(|&name| name.to_owned()).collect(),
            ..Face::default()
        }
    }

    #[test]
    fn the_way_to_https_leads_to_where_people_come() {
        let names = ["docs.example.com", "www.example.com", "fd00::1"];
        let origin = |public_url, host| face(public_url, &names).secure_origin(host);
        let docs = Some("https://docs.example.com");
        assert_eq!(origin(docs, "docs.example.com").as_deref(), docs);
        let capital = Some("https://Docs.example.com:444");
        assert_eq!(origin(capital, "docs.example.com").as_deref(), capital);
        let here = Some("https://docs.example.com:8443".to_owned());
        assert_eq!(origin(None, "docs.example.com"), here);
        assert_eq!(origin(Some("http://docs.example.com"), "docs.example.com"), here);
        let another = origin(docs, "www.example.com");
        assert_eq!(another.as_deref(), Some("https://www.example.com:8443"));
        assert_eq!(origin(None, "fd00::1").as_deref(), Some("https://[fd00::1]:8443"));
        // What nobody believes leads to the main domain, and nowhere without one.
        assert_eq!(origin(docs, "192.0.2.1").as_deref(), docs);
        assert_eq!(face(docs, &[]).secure_origin("docs.example.com"), None);
    }
}
