//! Servers of a few lines: an authority for certificates, and whoever hands out credentials.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::s3::on_a_thread;

/// Signs certificates that nobody trusts by themselves.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { params, key }
    }

    pub fn pem(&self) -> String {
        self.params.self_signed(&self.key).expect("a root").pem()
    }

    /// A server with that name, whose certificate ends when this year begins.
    pub fn server(&self, name: &str, year: i32) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        leaf.not_after = rcgen::date_time_ymd(year, 1, 1);
        let leaf = leaf.signed_by(&key, &Issuer::from_params(&self.params, &self.key));
        let chain = vec![leaf.expect("a certificate").der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Arc::new(config.expect("a server's settings"))
    }
}

type Answer = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// Answers each request as it is told, and keeps what was asked.
pub struct Fake {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// `answer` gets the head of a request.
    pub fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, tls): (Arc<Answer>, _) = (Arc::new(answer), tls.map(TlsAcceptor::from));
        let noted = asked.clone();
        let address = on_a_thread(move |stream| {
            let (answer, tls, noted) = (answer.clone(), tls.clone(), noted.clone());
            async move {
                match tls {
                    Some(tls) => exchange(tls.accept(stream).await?, &*answer, &noted).await,
                    None => exchange(stream, &*answer, &noted).await,
                }
            }
        });
        Fake { address, asked }
    }

    /// The heads of all requests.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &Answer,
    noted: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&read).into_owned();
    let (status, body) = answer(&head);
    noted.lock().unwrap().push(head);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Fine\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}
