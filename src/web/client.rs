//! Who is at the other end of the connection: the address and the scheme, told by the connection
//! itself or, when that is a proxy which the configuration trusts, by its headers.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::config::Config;

/// The client's address. A proxy appends to `X-Forwarded-For`: read from the right, the first
/// address that is no trusted proxy is the client, and whatever stands left of it is hearsay.
pub fn address(request: &HttpRequest, config: &Config) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    if !config.trusted_proxies.contains(&peer) {
        return Some(peer);
    }
    let mut client = peer;
    for value in request.headers().get_all("x-forwarded-for").collect::<Vec<_>>().into_iter().rev()
    {
        for hop in value.to_str().unwrap_or_default().rsplit(',') {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { return Some(client) };
            client = hop.to_canonical();
            if !config.trusted_proxies.contains(&client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// True when the browser speaks HTTPS to us, or to a proxy that the configuration trusts.
pub fn is_secure(request: &HttpRequest, config: &Config) -> bool {
    if request.app_config().secure() {
        return true;
    }
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    let is_proxied = peer.is_some_and(|peer| config.trusted_proxies.contains(&peer));
    let proto = request.headers().get("x-forwarded-proto");
    is_proxied && proto.is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The portal's own address, without a slash at its end: what the configuration says, or what the
/// request was sent to.
pub fn origin(request: &HttpRequest, config: &Config) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = if is_secure(request, config) { "https" } else { "http" };
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    match host.or_else(|| request.uri().authority().map(|authority| authority.as_str())) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", config.listen),
    }
}
