//! Takes a connection in: its place, who is behind the proxy, TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_http::{Protocol, error::DispatchError};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    connection::{Connection, Stream},
    gate::{Full, Gate},
    proxy_protocol,
};
use crate::app::ACME_ALPN;

/// While the server stops, for a handshake that was under way already.
const LAST_MOMENT: Duration = Duration::from_secs(2);

type Received = (Connection, Protocol, Option<SocketAddr>);

/// From an accepted socket to a connection that HTTP can be spoken on, with the address of the
/// client.
pub async fn receive(
    gate: Arc<Gate>,
    tls: Option<TlsAcceptor>,
    mut stream: TcpStream,
) -> Result<Received, DispatchError> {
    let peer = stream.peer_addr().map_err(DispatchError::Io)?;
    // Without it a small answer waits for the other end's acknowledgement.
    stream.set_nodelay(true).map_err(DispatchError::Io)?;
    let mut pass = match gate.enter() {
        Ok(pass) => pass,
        Err(full) => return Err(refuse(&stream, tls.is_none(), full)),
    };
    let proxy = match gate.expects_proxy_header(peer.ip()) {
        true => Some(in_time(&gate, proxy_protocol::read(&mut stream)).await?),
        false => None,
    };
    let client = proxy.and_then(|proxy| proxy.client).unwrap_or(peer);
    if let Err(full) = pass.count_for(client.ip()) {
        return Err(refuse(&stream, tls.is_none(), full));
    }
    let Some(tls) = tls else {
        let connection = Connection::new(Stream::Left(stream), false, proxy, gate, pass);
        return Ok((connection, Protocol::Http1, Some(client)));
    };
    let stream = in_time(&gate, tls.accept(stream)).await?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        // The certificate authority: with the end of the handshake it has seen everything.
        Some(ACME_ALPN) => return Err(DispatchError::Io(io::ErrorKind::ConnectionAborted.into())),
        _ => Protocol::Http1,
    };
    let is_h2 = protocol == Protocol::Http2;
    let connection = Connection::new(Stream::Right(Box::new(stream)), is_h2, proxy, gate, pass);
    Ok((connection, protocol, Some(client)))
}

/// What comes before the first request takes no longer than its head, and hardly any time once the
/// server stops: who has said nothing yet is none of those whom it waits for.
async fn in_time<T>(
    gate: &Gate,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, DispatchError> {
    let late = || DispatchError::Io(io::ErrorKind::TimedOut.into());
    let stopped = async {
        gate.draining().cancelled().await;
        tokio::time::sleep(LAST_MOMENT).await;
    };
    tokio::select! {
        done = timeout(gate.head_timeout, step) => done.map_err(|_| late())?.map_err(DispatchError::Io),
        () = stopped => Err(late()),
    }
}

/// Says why, where that costs nothing, and closes.
fn refuse(stream: &TcpStream, is_plain: bool, full: Full) -> DispatchError {
    if is_plain {
        let sentence = full.sentence();
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-length: {}\r\nretry-after: 5\r\nconnection: close\r\n\r\n{sentence}",
            sentence.len()
        );
        if let Err(error) = stream.try_write(answer.as_bytes()) {
            tracing::debug!("a refusal that was not heard: {error}");
        }
    }
    DispatchError::Io(io::ErrorKind::ConnectionRefused.into())
}
