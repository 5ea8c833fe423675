//! HTTP/2: spoken, and not without measure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::TestApp;

#[actix_web::test]
async fn http_2_is_spoken_where_the_client_does() {
    let test = TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let stream = tls_to(test.https_port, &[b"h2", b"http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    for _ in 0..3 {
        let (answer, _) = requests.send_request(get("/sign-in"), true).expect("a stream");
        assert_eq!(answer.await.expect("an answer").status(), 200);
    }
    // The way back is known although there is no `Host`.
    let form = http::Request::post("https://localhost/documents/link")
        .header("referer", "https://localhost/documents/link?from=here")
        .header("content-type", "application/x-www-form-urlencoded");
    let (answer, _) =
        requests.send_request(form.body(()).expect("a form"), true).expect("a stream");
    let mut answer = answer.await.expect("an answer");
    assert_eq!(answer.status(), 401);
    let page = answer.body_mut().data().await.expect("a page").expect("its beginning");
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("/sign-in?next=%2Fdocuments%2Flink%3Ffrom%3Dhere"), "{page}");
    test.stop().await;
}

fn get(path: &str) -> http::Request<()> {
    http::Request::get(format!("https://localhost{path}")).body(()).expect("a request")
}

async fn with_http_2() -> TestApp {
    TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.limits.idle_seconds = 2;
    })
    .await
}

/// With a window of nothing an answer waits for ever, whatever else the client says.
#[actix_web::test]
async fn a_client_of_http_2_that_takes_no_answer_is_cut_off() {
    let test = with_http_2().await;
    let stream = tls_to(test.https_port, &[b"h2"]).await;
    let mut client = h2::client::Builder::new();
    let client = client.initial_window_size(0).handshake::<_, Bytes>(stream);
    let (mut requests, connection) = client.await.expect("HTTP/2");
    // Answers pings.
    let connection = tokio::spawn(connection);
    let (answer, _) = requests.send_request(get("/sign-in"), true).expect("a stream");
    let mut answer = answer.await.expect("the head of an answer").into_body();
    let ended = tokio::time::timeout(Duration::from_secs(30), answer.data()).await;
    assert!(!matches!(ended.expect("an end"), Some(Ok(_))), "nothing was to come");
    tokio::time::timeout(Duration::from_secs(30), connection).await.expect("an end").ok();
    // Whoever takes it, however late, is not.
    let stream = tls_to(test.https_port, &[b"h2"]).await;
    let mut client = h2::client::Builder::new();
    let client = client.initial_window_size(100).handshake::<_, Bytes>(stream);
    let (mut requests, connection) = client.await.expect("HTTP/2");
    tokio::spawn(connection);
    let (answer, _) = requests.send_request(get("/sign-in"), true).expect("a stream");
    let mut answer = answer.await.expect("the head of an answer").into_body();
    let begin = Instant::now();
    while let Some(piece) = answer.data().await {
        let length = piece.expect("a piece").len();
        if begin.elapsed() < Duration::from_secs(4) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        answer.flow_control().release_capacity(length).expect("room");
    }
    assert!(begin.elapsed() > Duration::from_secs(3), "it took {:?}", begin.elapsed());
    test.stop().await;
}

#[actix_web::test]
async fn a_client_of_http_2_is_told_how_much_it_may_ask_at_once_and_held_to_it() {
    let test = with_http_2().await;
    let stream = tls_to(test.https_port, &[b"h2"]).await;
    let (mut requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let (answer, _) = requests.send_request(get("/healthz"), true).expect("a stream");
    assert_eq!(answer.await.expect("an answer").status(), 200);
    assert_eq!(requests.current_max_send_streams(), 100);

    // One that takes nothing, and asks on and on: settings, then GET / on every odd stream.
    let mut stream = tls_to(test.https_port, &[b"h2"]).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    for number in 0..5_000_u32 {
        let head = [&[0x82, 0x87, 0x84, 0x41, 9][..], b"localhost"].concat();
        bytes.extend([0, 0, head.len() as u8, 1, 5]);
        bytes.extend((2 * number + 1).to_be_bytes());
        bytes.extend(head);
    }
    // It may be cut off in the middle.
    let _sent = stream.write_all(&bytes).await;
    let mut answers = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut answers));
    ended.await.expect("it is cut off at once").ok();
    test.stop().await;
}

/// A connection by TLS whose certificate is not looked at.
async fn tls_to(
    port: u16,
    protocols: &[&[u8]],
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    use rustls::{ClientConfig, crypto::aws_lc_rs};
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.expect("TLS")
}

#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
