//! Asks the server itself whether it answers, as a client would.

use std::{
    io,
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
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// Knocks at one of the doors; an error when nobody answers in time.
pub async fn probe(doors: Doors, config: &Config) -> Result<()> {
    let asked = async {
        match (doors.http, doors.https) {
            (Some(door), _) => ask(connect(door, config).await?).await,
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
    let own = stream.local_addr().context("reading the own address")?.ip().to_canonical();
    if config.proxy_protocol && config.trusted_proxies.contains(&own) {
        stream.write_all(PROXY_HEADER).await.context("asking")?;
    }
    Ok(stream)
}

async fn ask(mut stream: TcpStream) -> Result<()> {
    stream.write_all(REQUEST).await.context("asking")?;
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.context("reading the answer")?;
    if &begin != b"HTTP/1.1 200" {
        bail!("the answer is {}", String::from_utf8_lossy(&begin));
    }
    Ok(())
}

/// Whoever shows a certificate is alive; whose it is does not matter here, so none is trusted.
async fn shake_hands(stream: TcpStream) -> Result<()> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing the versions of TLS")?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").context("naming the server")?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(_) => Ok(()),
        Err(error) if is_about_certificate(&error) => Ok(()),
        Err(error) => Err(error).context("beginning TLS"),
    }
}

fn is_about_certificate(error: &io::Error) -> bool {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(fault, Some(rustls::Error::InvalidCertificate(_)))
}
