//! The front door: from a socket to a request.
//!
//! [`serve`] listens. [`Gate`] counts who is in, [`receive`](receiving::receive) takes a connection in
//! (the PROXY protocol, TLS), [`Connection`] ends it when nobody uses it, and [`admit`] looks at each
//! request before anybody else does: challenges of the certificate authority, limits, the name that
//! was asked for, the way to HTTPS.

mod admit;
mod arrivals;
mod connection;
mod gate;
mod hosts;
mod http2;
mod probe;
mod proxy_protocol;
mod rates;
mod receiving;
mod underway;

use std::{net::TcpListener, os::fd::AsRawFd, sync::Arc, time::Duration};

use actix_http::HttpService;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{AppConfig, Server, ServerHandle},
};
use anyhow::Context;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

pub use self::{
    admit::admit,
    connection::State,
    hosts::asks_this_machine,
    probe::{Heard, probe, probe_ready},
    proxy_protocol::Header as ProxyHeader,
    underway::underway,
};
use self::{arrivals::Arrivals, connection::Connection, gate::Gate, receiving::receive};
use crate::{app::App, error::Result};

/// How long requests in flight may go on after a stop. Long enough for most uploads; whoever comes
/// meanwhile waits so long at most, and the service manager waits longer.
const SHUTDOWN: Duration = Duration::from_secs(60);
/// Between two looks at whether everybody has left.
const PAUSE: Duration = Duration::from_millis(20);
/// A connection that was accepted just before the stop reaches its worker in this time, unless the
/// machine is busy; [`Arrivals`] knows.
const LAST_ARRIVAL: Duration = Duration::from_millis(100);

/// A socket that is bound already, and TLS if it is spoken there.
pub struct Door {
    pub listener: TcpListener,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Door {
    pub fn plain(listener: TcpListener) -> Self {
        Door { listener, tls: None }
    }
}

/// Serves what `portal` makes on each worker, on these doors. The server runs when it is awaited.
pub fn serve<F, I, S, B>(app: &App, doors: Vec<Door>, portal: F) -> Result<(Server, Stopping)>
where
    F: Fn() -> I + Clone + Send + 'static,
    I: IntoServiceFactory<S, actix_http::Request>,
    S: ServiceFactory<actix_http::Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Response: Into<actix_http::Response<B>> + 'static,
    <S::Service as actix_service::Service<actix_http::Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let gate = Arc::new(Gate::new(&app.config));
    let limits = &app.config.limits;
    let head = Duration::from_secs(limits.head_seconds.into());
    let idle = Duration::from_secs(limits.idle_seconds.into());
    let mut server = Server::build()
        .disable_signals()
        .shutdown_timeout(SHUTDOWN.as_secs())
        // The gate counts, and says no; a worker that stops accepting would say nothing.
        .max_concurrent_connections(limits.connections as usize + 1_024);
    let arrivals = Arrivals::new(
        doors.iter().map(|door| door.listener.as_raw_fd()).collect(),
        doors.iter().filter_map(|door| Some(door.listener.local_addr().ok()?.port())).collect(),
    );
    for (number, door) in doors.into_iter().enumerate() {
        let (gate, portal, tls) = (gate.clone(), portal.clone(), door.tls.map(TlsAcceptor::from));
        let factory = move || {
            let (gate, tls) = (gate.clone(), tls.clone());
            let http = HttpService::build()
                .keep_alive(idle)
                .client_request_timeout(head)
                .client_disconnect_timeout(Duration::from_secs(5))
                .on_connect_ext(|connection: &Connection, extensions| {
                    extensions.insert(connection.state());
                })
                .finish(map_config(
                    portal().into_factory().map_err(|error| error.into().error_response()),
                    |()| AppConfig::default(),
                ));
            fn_service(move |stream| receive(gate.clone(), tls.clone(), stream)).and_then(http)
        };
        server = server
            .listen(format!("door-{number}"), door.listener, factory)
            .context("taking over the socket")?;
    }
    let server = server.run();
    let stopping = Stopping { handle: server.handle(), gate, arrivals };
    Ok((server, stopping))
}

/// Ends a server so that nobody notices who was in the middle of something.
#[derive(Clone)]
pub struct Stopping {
    handle: ServerHandle,
    gate: Arc<Gate>,
    arrivals: Arrivals,
}

impl Stopping {
    /// Takes no more connections, lets requests in flight end, then ends. Whoever knocks meanwhile
    /// waits in the socket, if another process holds it too, for the next server.
    pub async fn stop(&self) {
        self.handle.pause().await;
        self.gate.drain();
        let emptied = async {
            // To pause was said, and is done a little later; what was accepted until then is on its
            // way to a worker.
            tokio::time::sleep(LAST_ARRIVAL).await;
            while self.may_have_visitors() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let is_empty = tokio::time::timeout(SHUTDOWN, emptied).await.is_ok();
        if !is_empty {
            tracing::warn!(connections = self.gate.connections(), "requests were cut off");
        }
        self.handle.stop(is_empty).await;
    }

    fn may_have_visitors(&self) -> bool {
        if self.gate.connections() > 0 {
            return true;
        }
        // Where it cannot be found out, time must do.
        self.arrivals.go_on().unwrap_or(false) || self.arrivals.open().unwrap_or(0) > 0
    }
}
