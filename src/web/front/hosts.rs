//! Which name was asked for, and whether the portal answers to it.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::{
    app::{Face, host_of, matches},
    config::Config,
    web::client,
};

/// The name or address that the client asked for: in lower case, without port, brackets and the dot
/// of the root.
pub fn host(request: &HttpRequest) -> Option<String> {
    let named = client::authority(request)?;
    let bare = match named.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => named.rsplit_once(':').map_or(named, |(host, _)| host),
    };
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    (!bare.is_empty()).then(|| bare.to_ascii_lowercase())
}

/// True for a name that the configuration allows, a domain of the portal, and this machine itself.
/// By its address the portal can be reached until browsers believe its certificate.
pub fn is_allowed(host: &str, config: &Config, face: &Face) -> bool {
    let is_listed = config
        .allowed_hosts
        .iter()
        .any(|pattern| pattern == "*" || matches(pattern.trim_matches(['[', ']']), host));
    let published = config.public_url.as_deref().and_then(host_of);
    let is_own =
        face.domains.iter().any(|domain| domain == host) || published.as_deref() == Some(host);
    if is_listed || is_own || is_this_machine(host) {
        return true;
    }
    let is_address = host.parse::<IpAddr>().is_ok();
    config.allowed_hosts.is_empty()
        && face.domains.first().is_none_or(|main| is_address && !face.is_believed(main))
}

/// True when the client asked for this machine by such a name: a page of somebody else, whose name
/// was made to point here, does not.
pub fn asks_this_machine(request: &HttpRequest) -> bool {
    host(request).is_some_and(|host| is_this_machine(&host))
}

/// A name that never leaves the machine it is used on.
pub fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where to go instead, for a sentence.
pub fn proper_address(config: &Config, face: &Face) -> Option<String> {
    config.public_url.clone().or_else(|| face.url())
}
