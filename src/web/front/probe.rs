//! Asks the server itself whether it answers, as a client would.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{app::Doors, config::Config};

const PATIENCE: Duration = Duration::from_secs(5);
/// What a proxy begins with when it speaks for itself.
const PROXY_HEADER: &[u8] = b"PROXY UNKNOWN\r\n";
/// Of the first line of an answer, which is ours.
const LINE_BYTES_MAX: usize = 200;
const ALIVE: &str = "/healthz";
const READY: &str = "/readyz";

/// What was heard at the door. Both are signs of life: a server that is full turns away whoever asks,
/// this machine too, and to end it for that would only make it emptier for a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Welcome,
    /// The first line of the answer; none when the connection was just closed. That happens where TLS
    /// is spoken, and where the answer was lost because the question had not been read: only who is
    /// alive closes at once.
    Refusal(Option<String>),
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Heard::Welcome => f.write_str("it answers"),
            Heard::Refusal(Some(line)) => write!(f, "it answers “{line}”"),
            Heard::Refusal(None) => f.write_str("it closes the connection"),
        }
    }
}

/// Knocks at one of the doors; an error when nobody answers in time.
pub async fn probe(doors: Doors, config: &Config) -> Result<Heard> {
    knock(doors, config, ALIVE).await
}

/// [`probe`], and whether the store answers too; where only TLS is spoken, whoever does is believed.
pub async fn probe_ready(doors: Doors, config: &Config) -> Result<Heard> {
    knock(doors, config, READY).await
}

async fn knock(doors: Doors, config: &Config, path: &str) -> Result<Heard> {
    let asked = async {
        match (doors.http, doors.https) {
            (Some(door), _) => ask(connect(door, config).await?, path).await,
            (None, Some(door)) => shake_hands(connect(door, config).await?).await,
            (None, None) => bail!("there is no door"),
        }
    };
    timeout(PATIENCE, asked).await.context("the server does not answer in time")?
}

async fn connect(door: SocketAddr, config: &Config) -> Result<TcpStream> {
    // A socket for both kinds of addresses may be there without one of IPv6 on this machine.
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let addresses = match door.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![v4],
        IpAddr::V6(ip) if ip.is_unspecified() => vec![v6, v4],
        ip => vec![ip],
    };
    let addresses: Vec<SocketAddr> =
        addresses.into_iter().map(|ip| SocketAddr::new(ip, door.port())).collect();
    let mut stream = TcpStream::connect(addresses.as_slice()).await.context("connecting")?;
    let own = stream.local_addr().context("reading the own address")?.ip();
    if config.proxy_protocol && config.trusts(own) {
        stream.write_all(PROXY_HEADER).await.context("asking")?;
    }
    Ok(stream)
}

async fn ask(mut stream: TcpStream, path: &str) -> Result<Heard> {
    let line = match first_line(&mut stream, path).await {
        Ok(line) => String::from_utf8_lossy(&line).trim_end().to_owned(),
        Err(fault) if is_closed(&fault) => return Ok(Heard::Refusal(None)),
        Err(fault) => return Err(fault).context("reading the answer"),
    };
    match line.strip_prefix("HTTP/1.1 ") {
        Some(status) if status.starts_with("200") => Ok(Heard::Welcome),
        Some(status) => Ok(Heard::Refusal(Some(status.to_owned()))),
        None => bail!("it does not speak HTTP: {line:?}"),
    }
}

async fn first_line(stream: &mut TcpStream, path: &str) -> io::Result<Vec<u8>> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::with_capacity(LINE_BYTES_MAX);
    while !line.ends_with(b"\r\n") && line.len() < LINE_BYTES_MAX {
        line.push(stream.read_u8().await?);
    }
    Ok(line)
}

/// Whoever shows a certificate is alive; whose it is does not matter here, so none is trusted.
async fn shake_hands(stream: TcpStream) -> Result<Heard> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing the versions of TLS")?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").context("naming the server")?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(_) => Ok(Heard::Welcome),
        Err(error) if is_about_certificate(&error) => Ok(Heard::Welcome),
        Err(error) if is_closed(&error) => Ok(Heard::Refusal(None)),
        Err(error) => Err(error).context("beginning TLS"),
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

fn is_about_certificate(error: &io::Error) -> bool {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(fault, Some(rustls::Error::InvalidCertificate(_)))
}
