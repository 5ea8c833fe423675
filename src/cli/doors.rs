//! Where `serve` listens: on sockets that the service manager holds, else on its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::{Context, anyhow};
use rustls::ServerConfig;
use tokio::net::TcpSocket;

use super::Failure;
use crate::{
    app,
    config::Config,
    host::{ports, sockets::inherited},
    web::Door,
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
const HTTPS_PORT: u16 = 443;

/// Sockets that are bound.
pub struct Doors {
    http: Vec<TcpListener>,
    https: Vec<TcpListener>,
}

impl Doors {
    /// Takes over what was handed to this process, and binds what the configuration says where nothing
    /// was. Of a socket that was handed over, its name or its port tells whether it is for HTTPS.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let handed = inherited().map_err(|fault| {
            Failure::from(fault.context("taking over the sockets of the service manager"))
        })?;
        let mut doors = Doors { http: Vec::new(), https: Vec::new() };
        for socket in handed {
            let port = socket.listener.local_addr().context("reading a socket's address")?.port();
            let is_https = is_for_https(&socket.name, port, config);
            if is_https { &mut doors.https } else { &mut doors.http }.push(socket.listener);
        }
        if doors.http.is_empty() && doors.https.is_empty() {
            doors.http.push(bind(config.listen, "--listen")?);
            if let Some(address) = config.listen_https {
                doors.https.push(bind(address, "--listen-https")?);
            }
        } else if let (Some(address), []) = (config.listen_https, doors.https.as_slice()) {
            // The portal itself must not fail by it: it is reached by what was handed over.
            match bind(address, "--listen-https") {
                Ok(listener) => doors.https.push(listener),
                Err(failure) => tracing::error!(
                    "listen_https is {address}, none of the sockets that the service manager handed \
                     over is for it, and the portal cannot open it itself: {} Add \
                     ListenStream={address} to the socket unit (systemctl edit appliance.socket).",
                    failure.sentence()
                ),
            }
        }
        Ok(doors)
    }

    /// For one server; the sockets themselves stay, for the next one.
    pub fn share(&self, tls: Option<&Arc<ServerConfig>>) -> Result<Vec<Door>, Failure> {
        let share = |socket: &TcpListener, tls: Option<&Arc<ServerConfig>>| {
            let listener = socket.try_clone().context("sharing a socket")?;
            Ok(Door { listener, tls: tls.cloned() })
        };
        let plain = self.http.iter().map(|socket| share(socket, None));
        plain.chain(self.https.iter().map(|socket| share(socket, tls))).collect()
    }

    /// The first of each sort: what the rest of the portal calls its own.
    pub fn addresses(&self) -> Result<app::Doors, Failure> {
        let first = |sockets: &[TcpListener]| {
            let address = sockets.first().map(TcpListener::local_addr).transpose();
            address.context("reading the address of the server")
        };
        Ok(app::Doors { http: first(&self.http)?, https: first(&self.https)? })
    }
}

/// Whether HTTPS is spoken on a socket that the service manager holds, by its `FileDescriptorName=` and
/// its port.
pub fn is_for_https(name: &str, port: u16, config: &Config) -> bool {
    let configured = config.listen_https.map(|address| address.port());
    match name {
        "https" => true,
        "http" => false,
        _ => port == HTTPS_PORT || Some(port) == configured,
    }
}

fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    let bound = || -> io::Result<TcpListener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections of an earlier run that linger are no reason to refuse.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bound().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            let holder = match ports::listener(port) {
                Some(process) => format!("by {process}"),
                None => "by another process".into(),
            };
            let next = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(8080));
            Failure::in_use(format!(
                "Port {port} is in use {holder}. Stop that, or choose another port: {flag} {next}"
            ))
        }
        io::ErrorKind::AddrNotAvailable => Failure::usage(format!(
            "This machine has no address {}. 0.0.0.0:{} listens on all that it has.",
            address.ip(),
            address.port()
        )),
        io::ErrorKind::PermissionDenied => Failure::usage(format!(
            "Port {} is reserved for root. Choose one from 1024 on: {flag} {}",
            address.port(),
            SocketAddr::new(address.ip(), 8080)
        )),
        _ => Failure::from(anyhow!(error).context(format!("listening on {address}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_socket_says_more_than_its_port() {
        let config = Config { listen_https: "0.0.0.0:8443".parse().ok(), ..Config::default() };
        assert!(is_for_https("https", 8444, &config) && !is_for_https("http", 443, &config));
        for port in [443, 8443] {
            assert!(is_for_https("appliance.socket", port, &config), "{port}");
        }
        assert!(!is_for_https("", 80, &config));
    }
}
