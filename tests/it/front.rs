//! The front door: slow clients, limits, names, proxies, and a restart that nobody notices.

use std::time::{Duration, Instant};

use appliance::{config::Config, domain::events::Event};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{TestApp, until};

/// Long, since the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

struct Wire(TcpStream);

impl Wire {
    async fn to(test: &TestApp) -> Self {
        let address = test.url.strip_prefix("http://").expect("an address");
        Wire(TcpStream::connect(address).await.expect("a connection"))
    }

    async fn says(mut self, text: &str) -> Self {
        self.0.write_all(text.as_bytes()).await.expect("writing");
        self
    }

    /// Everything until the other end closes.
    async fn hears(mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        // A reset is an end, too.
        let _reset = read.expect("it is closed");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One answer without waiting for the end.
    async fn answer(&mut self) -> String {
        let mut bytes = vec![0; 64 << 10];
        let length = timeout(PATIENCE, self.0.read(&mut bytes)).await.expect("an answer");
        String::from_utf8_lossy(&bytes[..length.expect("reading")]).into_owned()
    }
}

const ALIVE: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LAST: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

async fn hasty() -> TestApp {
    TestApp::spawn_with(|config| {
        config.limits.head_seconds = 1;
        config.limits.idle_seconds = 2;
        config.uploads.stall_seconds = 1;
    })
    .await
}

#[actix_web::test]
async fn whoever_sends_the_head_of_a_request_slowly_is_cut_off() {
    let test = hasty().await;
    let silent = Wire::to(&test).await.hears();
    let slow = async {
        let mut wire = Wire::to(&test).await.says("GET / HTTP/1.1\r\n").await;
        let began = Instant::now();
        while wire.0.write_all(b"x: y\r\n").await.is_ok() {
            assert!(began.elapsed() < PATIENCE, "it goes on");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(silent, slow);
    test.stop().await;
}

/// The first request is the one that servers look at; the trick is to be slow with the second.
#[actix_web::test]
async fn a_connection_that_is_kept_open_is_not_kept_for_ever() {
    let test = hasty().await;
    let mut wire = Wire::to(&test).await.says(ALIVE).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    while wire.0.write_all(b"G").await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "it goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    test.stop().await;
}

#[actix_web::test]
async fn whoever_takes_nothing_of_an_answer_is_cut_off() {
    let test = hasty().await;
    let ada = test.signed_in("ada").await;
    let document = ada.upload("large.bin", &vec![7; 32 << 20], &[("visibility", "public")]).await;
    test.settle().await;
    let id = document["id"].as_str().expect("an id");
    let before = Instant::now();
    let ask = format!("GET /api/documents/{id}/download HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let wire = Wire::to(&test).await.says(&ask).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let heard = wire.hears().await;
    assert!(heard.len() < 32 << 20, "{} bytes in {:?}", heard.len(), before.elapsed());
    test.stop().await;
}

#[actix_web::test]
async fn a_request_without_measure_is_refused_in_words() {
    let test = TestApp::spawn().await;
    let long = "x".repeat(9_000);
    let ask = format!("GET /?{long} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let heard = Wire::to(&test).await.says(&ask).await.hears().await;
    assert!(
        heard.starts_with("HTTP/1.1 414") && heard.contains("The address is too long."),
        "{heard}"
    );
    let cookies = format!("cookie: {long}\r\n").repeat(4);
    let ask = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{cookies}\r\n");
    let heard = Wire::to(&test).await.says(&ask).await.hears().await;
    assert!(heard.starts_with("HTTP/1.1 431") && heard.contains("Delete the cookies"), "{heard}");
    let heard = Wire::to(&test).await.says("GET / HTTP/1.0\r\n\r\n").await.hears().await;
    assert!(heard.starts_with("HTTP/1.0 400") && heard.contains("Host header"), "{heard}");
    test.stop().await;
}

#[actix_web::test]
async fn only_names_that_are_allowed_are_answered_to() {
    let test = TestApp::spawn_with(|config| {
        config.allowed_hosts = vec!["docs.example.com".into(), "*.example.org".into()];
    })
    .await;
    let answer = async |host: &str, path: &str| {
        let request =
            reqwest::Client::new().get(format!("{}{path}", test.url)).header("host", host);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    };
    for host in ["docs.example.com", "Docs.Example.com:8080", "a.example.org", "localhost", "[::1]"]
    {
        assert_eq!(answer(host, "/sign-in").await.0, 200, "{host}");
    }
    for host in ["example.org", "evil.example", "10.0.0.1", "a.b.example.org"] {
        let (status, text) = answer(host, "/sign-in").await;
        assert_eq!(status, 421, "{host}");
        assert!(text.starts_with(&format!("This server does not answer to “{host}”.")), "{text}");
    }
    let (status, problem) = answer("evil.example", "/api/documents").await;
    assert!(status == 421 && problem.contains("\"detail\""), "{problem}");
    assert_eq!(answer("evil.example", "/readyz").await.0, 200, "health checks need no name");
    test.stop().await;
}

/// The name in the configuration is compared as browsers write it.
#[actix_web::test]
async fn the_public_address_is_answered_to_however_it_is_spelled() {
    let test = TestApp::spawn_with(|config| {
        config.public_url = Some("https://Docs.Example.com".into());
        config.https.domains = vec!["www.example.com".into()];
    })
    .await;
    let ask = "GET /sign-in HTTP/1.1\r\nhost: docs.example.com\r\nconnection: close\r\n\r\n";
    let heard = Wire::to(&test).await.says(ask).await.hears().await;
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    test.stop().await;
}

fn behind_a_proxy(config: &mut Config) {
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    config.proxy_protocol = true;
}

const FROM: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\n";
const FROM_ANOTHER: &str = "PROXY TCP4 192.0.2.8 198.51.100.1 56324 80\r\n";

#[actix_web::test]
async fn the_proxy_protocol_tells_who_the_client_is() {
    let test = TestApp::spawn_with(behind_a_proxy).await;
    let body = r#"{"username":"ada","password":"wrong"}"#;
    let ask = format!(
        "{FROM}POST /api/login HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 203.0.113.9\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let heard = Wire::to(&test).await.says(&ask).await.hears().await;
    assert!(heard.starts_with("HTTP/1.1 401"), "{heard}");
    // Not what the client says itself.
    until(async || {
        let noted = |tx: &appliance::store::ReadTx| {
            let events = tx.records::<Event>().backward().iter()?.take(10);
            events.collect::<Result<Vec<_>, _>>()
        };
        let events = test.app.store.read(noted).await.expect("events");
        events.iter().any(|event| event.address.as_deref() == Some("192.0.2.7"))
    })
    .await;
    let refused = Wire::to(&test).await.says(LAST).await.hears().await;
    assert_eq!(refused, "", "a connection of the proxy without the header");
    test.stop().await;
}

#[actix_web::test]
async fn one_address_takes_only_so_many_connections() {
    let test = TestApp::spawn_with(|config| {
        behind_a_proxy(config);
        config.limits.connections_per_address = 2;
    })
    .await;
    let enter = async |from: &str| {
        let mut wire = Wire::to(&test).await.says(&format!("{from}{ALIVE}")).await;
        (wire.answer().await, wire)
    };
    let (first, held) = enter(FROM).await;
    let (second, _held) = enter(FROM).await;
    assert!(first.starts_with("HTTP/1.1 200") && second.starts_with("HTTP/1.1 200"));
    let (third, _) = enter(FROM).await;
    assert!(third.starts_with("HTTP/1.1 503") && third.contains("Close some"), "{third}");
    assert!(enter(FROM_ANOTHER).await.0.starts_with("HTTP/1.1 200"), "others are not concerned");
    drop(held);
    until(async || enter(FROM).await.0.starts_with("HTTP/1.1 200")).await;
    test.stop().await;
}

#[actix_web::test]
async fn one_address_makes_only_so_many_requests() {
    let test = TestApp::spawn_with(|config| {
        behind_a_proxy(config);
        config.limits.requests_per_second = 1;
    })
    .await;
    let ask =
        async |from: &str| Wire::to(&test).await.says(&format!("{from}{LAST}")).await.hears().await;
    let mut refused = String::new();
    for _ in 0..10 {
        let heard = ask(FROM).await;
        if heard.starts_with("HTTP/1.1 429") {
            refused = heard;
            break;
        }
    }
    assert!(refused.contains("retry-after: ") && refused.contains("Wait a moment"), "{refused}");
    assert!(ask(FROM_ANOTHER).await.starts_with("HTTP/1.1 200"), "others are not concerned");
    test.stop().await;
}

#[actix_web::test]
async fn a_request_in_flight_is_finished_when_the_server_stops() {
    let test = TestApp::spawn().await;
    let mut idle = Wire::to(&test).await.says(ALIVE).await;
    assert!(idle.answer().await.starts_with("HTTP/1.1 200"));
    let body = r#"{"username":"ada","password":"a tall green kettle"}"#;
    let head = format!(
        "POST /api/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let wire = Wire::to(&test).await.says(&head).await.says(&body[..10]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let finish = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        wire.says(&body[10..]).await.hears().await
    };
    let (heard, (), idle) = tokio::join!(finish, test.stop(), idle.hears());
    assert!(heard.starts_with("HTTP/1.1 200") && heard.contains("access_token"), "{heard}");
    assert_eq!(idle, "");
}

/// Else everybody waits at each restart for a connection that somebody opened and forgot.
#[actix_web::test]
async fn a_connection_that_says_nothing_does_not_hold_up_the_end() {
    let test = TestApp::spawn_with(|config| {
        behind_a_proxy(config);
        config.limits.head_seconds = 600;
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let silent = Wire::to(&test).await;
    // Past the header of the proxy, and then nothing where TLS would begin.
    let address = ("127.0.0.1", test.https_port);
    let secure = Wire(TcpStream::connect(address).await.expect("a connection")).says(FROM).await;
    // Both have been accepted when a third one has been answered.
    let answered = Wire::to(&test).await.says(&format!("{FROM}{LAST}")).await.hears().await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    let began = Instant::now();
    test.stop().await;
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    drop((silent, secure));
}

#[actix_web::test]
async fn a_reader_that_takes_nothing_does_not_hold_up_the_end() {
    let test = TestApp::spawn_with(|config| config.limits.idle_seconds = 600).await;
    let ada = test.signed_in("ada").await;
    let document = ada.upload("large.bin", &vec![7; 32 << 20], &[("visibility", "public")]).await;
    test.settle().await;
    let id = document["id"].as_str().expect("an id");
    let ask = format!("GET /api/documents/{id}/download HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut wire = Wire::to(&test).await.says(&ask).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 200"));
    let began = Instant::now();
    test.stop().await;
    assert!(began.elapsed() < Duration::from_secs(40), "it took {:?}", began.elapsed());
    let heard = wire.hears().await;
    assert!(heard.len() < 32 << 20, "{} bytes", heard.len());
}
