//! Who is at the other end of the connection: the address and the scheme, told by the connection
//! itself or, when that is a proxy which the configuration trusts, by its headers.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use actix_web::{HttpRequest, http::header};

use super::front::{ProxyHeader, State};
use crate::{
    app::{App, Credentials},
    config::Config,
};

/// The client's address. A proxy appends to `X-Forwarded-For`: read from the right, the first
/// address that is no trusted proxy is the client, and whatever stands left of it is hearsay.
/// `None` where a proxy writes a word for it (`unknown`): the proxy itself is not the client.
pub fn address(request: &HttpRequest, config: &Config) -> Option<IpAddr> {
    let peer = peer(request)?;
    if !config.trusts(peer) {
        return Some(peer);
    }
    let mut client = peer;
    for value in request.headers().get_all("x-forwarded-for").collect::<Vec<_>>().into_iter().rev()
    {
        // Each by itself: what a client wrote need not be text.
        for hop in value.as_bytes().rsplit(|byte| *byte == b',') {
            client = hop_address(str::from_utf8(hop).ok()?.trim())?;
            if !config.trusts(client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// An address as proxies write it: bare, in brackets, or with the port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip().to_canonical())
}

/// A proxy beside us that the configuration does not know: all clients seem to have its address. One
/// far away is no proxy of ours, whatever it says.
pub fn unknown_proxy(request: &HttpRequest, config: &Config) -> Option<IpAddr> {
    let peer = peer(request)?;
    let is_near = match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private() || peer.is_link_local(),
        IpAddr::V6(peer) => {
            peer.is_loopback() || peer.is_unique_local() || peer.is_unicast_link_local()
        }
    };
    let is_proxy = is_near && request.headers().contains_key("x-forwarded-for");
    (is_proxy && !config.trusts(peer)).then_some(peer)
}

/// Whether somebody asks on this machine itself, and for nobody else.
pub fn is_local(request: &HttpRequest, config: &Config) -> bool {
    let is_loopback = address(request, config).is_some_and(|address| address.is_loopback());
    is_loopback && unknown_proxy(request, config).is_none()
}

/// What somebody signs in with, and from where.
pub fn credentials(
    request: &HttpRequest,
    app: &App,
    login: String,
    password: String,
) -> Credentials {
    Credentials {
        login,
        password,
        address: address(request, &app.config),
        is_address_shared: unknown_proxy(request, &app.config).is_some(),
        user_agent: user_agent(request),
    }
}

/// The program that asks, in its own words.
pub fn user_agent(request: &HttpRequest) -> String {
    let header = request.headers().get(header::USER_AGENT).and_then(|it| it.to_str().ok());
    header.unwrap_or_default().to_owned()
}

/// True when the browser speaks HTTPS to us, or to a proxy that the configuration trusts, or that
/// the portal's own address stands for.
pub fn is_secure(request: &HttpRequest, config: &Config) -> bool {
    let is_tls = state(request).is_some_and(|state| state.is_tls);
    if is_published_secure(config) || is_tls {
        return true;
    }
    let proto = request.headers().get("x-forwarded-proto");
    is_proxied(request, config)
        && proto.is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
        || proxy(request).is_some_and(ProxyHeader::is_secure)
}

/// True when HTTPS is the affair of a proxy that passes the request on: whoever is sent from there to
/// HTTPS comes back the same way.
pub fn leaves_https_to_proxy(request: &HttpRequest, config: &Config) -> bool {
    let by_header =
        |proxy: ProxyHeader| proxy.is_secure() || is_published_secure(config) && !proxy.is_plain();
    is_proxied(request, config) || proxy(request).is_some_and(by_header)
}

fn is_published_secure(config: &Config) -> bool {
    config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
}

/// True when a proxy that the configuration trusts passes it on.
pub fn is_proxied(request: &HttpRequest, config: &Config) -> bool {
    peer(request).is_some_and(|peer| config.trusts(peer))
}

/// What the proxy said by the PROXY protocol; then the peer is the client behind it.
fn proxy(request: &HttpRequest) -> Option<ProxyHeader> {
    state(request)?.proxy
}

fn state(request: &HttpRequest) -> Option<&Rc<State>> {
    request.conn_data::<Rc<State>>()
}

/// True when this machine itself asks.
pub fn is_here(request: &HttpRequest) -> bool {
    peer(request).is_some_and(|peer| peer.is_loopback())
}

/// What the request was sent to, with the port: where both are there, what stands in its first line
/// prevails over `Host` (RFC 9112, section 3.2.2).
pub fn authority(request: &HttpRequest) -> Option<&str> {
    let header = || request.headers().get(header::HOST)?.to_str().ok();
    request.uri().authority().map(|it| it.as_str()).or_else(header)
}

/// The portal's own address, without a slash at its end: what the configuration says, or what the
/// request was sent to.
pub fn origin(request: &HttpRequest, config: &Config) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = if is_secure(request, config) { "https" } else { "http" };
    match authority(request) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", config.listen),
    }
}
