//! HTTPS: certificates from an authority, from files and from the portal itself, and what follows
//! from having one.

use std::{fs, path::Path, sync::Arc, time::Duration};

use appliance::{
    app::{App, CertificateSource, HttpsStanding, Level},
    clock::Clock,
    config::{ChallengeChoice, Config},
    domain::access::Actor,
};
use jiff::{
    SignedDuration,
    civil::{Date, date},
    tz::TimeZone,
};
use reqwest::{Certificate, Client, Response, StatusCode, header, redirect};

use crate::support::{PASSWORD, Shell, TestApp, acme::Acme, filled_in, until};

const DOMAIN: &str = "docs.example.com";

/// A browser that trusts `root`, or anything, and finds every name on this machine.
fn browser(root: Option<Certificate>) -> Client {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .resolve(DOMAIN, "127.0.0.1:0".parse().expect("an address"))
        .resolve("www.example.com", "127.0.0.1:0".parse().expect("an address"));
    let client = match root {
        Some(root) => client.add_root_certificate(root),
        None => client.danger_accept_invalid_certs(true),
    };
    client.build().expect("a client")
}

async fn asked(client: &Client, url: &str) -> Response {
    client.get(url).send().await.unwrap_or_else(|fault| panic!("{url}: {fault:?}"))
}

fn header_of(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

async fn standing(app: &App) -> HttpsStanding {
    app.https_standing().await.expect("a standing")
}

/// A portal whose doors are where the authority looks.
async fn portal_of(acme: &Acme, challenge: ChallengeChoice, domains: &[&str]) -> TestApp {
    let (http, https) = acme.portal_ports();
    let domains: Vec<String> = domains.iter().map(|&domain| domain.to_owned()).collect();
    let (directory, ca_file) = (acme.directory(), acme.ca_file());
    TestApp::spawn_with(move |config| {
        config.listen.set_port(http);
        config.listen_https = Some(([127, 0, 0, 1], https).into());
        config.https.domains = domains;
        config.https.email = "ops@example.com".into();
        config.https.acme = directory;
        config.https.ca_file = ca_file;
        config.https.challenge = challenge;
    })
    .await
}

async fn until_issued(app: &Arc<App>) {
    until(async || {
        let standing = standing(app).await;
        let faults: Vec<_> =
            standing.certificates.iter().filter_map(|one| one.fault.as_ref()).collect();
        assert!(faults.is_empty(), "{faults:?}");
        standing.certificates.iter().all(|one| one.valid_until.is_some())
    })
    .await;
}

#[actix_web::test]
async fn a_certificate_is_fetched_for_each_domain_by_either_challenge() {
    if !Acme::is_installed() {
        return;
    }
    for challenge in [ChallengeChoice::Http01, ChallengeChoice::TlsAlpn01] {
        let acme = Acme::start().await;
        let test = portal_of(&acme, challenge, &[DOMAIN, "www.example.com"]).await;
        until_issued(&test.app).await;
        let client = browser(Some(acme.root().await));
        for domain in [DOMAIN, "www.example.com"] {
            until(async || {
                let url = format!("https://{domain}:{}/sign-in", test.https_port);
                client.get(url).send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
            })
            .await;
        }
        let findings = test.app.doctor(true).await.expect("findings");
        let about: Vec<_> = findings.iter().filter(|one| one.about == "certificate").collect();
        assert_eq!(about.len(), 2);
        assert!(about.iter().all(|one| one.level == Level::Fine), "{about:?}");
        test.stop().await;
    }
}

#[actix_web::test]
async fn with_a_certificate_plain_http_leads_to_https_and_browsers_stay_there() {
    if !Acme::is_installed() {
        return;
    }
    let acme = Acme::start().await;
    let test = portal_of(&acme, ChallengeChoice::Auto, &[DOMAIN]).await;
    until_issued(&test.app).await;
    let client = browser(Some(acme.root().await));
    let secure = format!("https://{DOMAIN}:{}", test.https_port);
    until(async || test.app.public_url().as_deref() == Some(&*secure)).await;

    let plain = |host: &str, path: &str| {
        client.get(format!("{}{path}", test.url)).header("host", host).send()
    };
    let answer = plain(DOMAIN, "/documents?q=a%20b").await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::MOVED_PERMANENTLY);
    let to = format!("{secure}/documents?q=a%20b");
    assert_eq!(header_of(&answer, header::LOCATION), Some(&*to));
    // By its address the server was known before; a name that is not ours is none.
    let answer = plain("192.0.2.7", "/").await.expect("an answer");
    assert_eq!(header_of(&answer, header::LOCATION), Some(&*format!("{secure}/")));
    let answer = plain("evil.example", "/").await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    let text = answer.text().await.expect("a sentence");
    assert_eq!(
        text,
        format!("This server does not answer to “evil.example”. Open {secure} instead.\n")
    );
    // What sends a body keeps it.
    let answer = client.post(format!("{}/api/login", test.url)).header("host", DOMAIN).send();
    assert_eq!(answer.await.expect("an answer").status(), StatusCode::PERMANENT_REDIRECT);
    // Health checks do not know the name.
    assert_eq!(
        plain("evil.example", "/healthz").await.expect("an answer").status(),
        StatusCode::OK
    );

    let answer = asked(&client, &format!("{secure}/sign-in")).await;
    assert_eq!(header_of(&answer, header::STRICT_TRANSPORT_SECURITY), Some("max-age=31536000"));
    let form = [("name", "ada"), ("password", PASSWORD), ("stay", "1")];
    let form = filled_in(client.post(format!("{secure}/sign-in")), &form);
    let answer = form.send().await.expect("an answer");
    let cookie = header_of(&answer, header::SET_COOKIE).expect("a cookie");
    assert!(cookie.contains("Secure") && cookie.contains("HttpOnly"), "{cookie}");
    test.stop().await;
}

#[actix_web::test]
async fn a_certificate_is_renewed_and_an_outage_harms_nobody() {
    if !Acme::is_installed() {
        return;
    }
    let mut acme = Acme::start().await;
    let test = portal_of(&acme, ChallengeChoice::Auto, &[DOMAIN]).await;
    until_issued(&test.app).await;
    let client = browser(Some(acme.root().await));
    let url = format!("https://{DOMAIN}:{}/sign-in", test.https_port);
    until(async || client.get(&url).send().await.is_ok()).await;
    let first = standing(&test.app).await.certificates.remove(0);
    let until_first = first.valid_until.expect("an end");

    // The authority is away when it is time.
    acme.end();
    let life = until_first.duration_since(test.clock.now());
    test.clock.advance(life - life / 4);
    test.app.look_at_certificates();
    until(async || standing(&test.app).await.certificates[0].fault.is_some()).await;
    let late = standing(&test.app).await.certificates.remove(0);
    let fault = late.fault.expect("a fault");
    assert!(fault.message.contains("cannot be reached"), "{fault:?}");
    assert!(late.next_attempt_at > Some(test.clock.now()), "it is put off");
    assert_eq!(asked(&client, &url).await.status(), StatusCode::OK, "the old one serves");
    let findings = test.app.doctor(true).await.expect("findings");
    assert!(findings.iter().any(|one| one.about == "certificate" && one.level == Level::Warning));

    // It is back, has forgotten our account, and signs with another root.
    acme.begin().await;
    test.clock.advance(SignedDuration::from_mins(3));
    test.app.fetch_certificates_now(Actor::system("test", None)).await.expect("an attempt");
    until(async || standing(&test.app).await.certificates[0].fault.is_none()).await;
    let anew = browser(Some(acme.root().await));
    until(async || anew.get(&url).send().await.is_ok()).await;
    test.stop().await;
}

#[actix_web::test]
async fn a_domain_that_leads_elsewhere_is_told_and_does_not_hold_up_the_others() {
    if !Acme::is_installed() {
        return;
    }
    let acme = Acme::start().await;
    acme.point("wrong.example.com", "127.0.0.2").await;
    let test = portal_of(&acme, ChallengeChoice::Auto, &["wrong.example.com", DOMAIN]).await;
    until(async || {
        let all = standing(&test.app).await.certificates;
        all[0].fault.is_some() && all[1].valid_until.is_some()
    })
    .await;
    let wrong = standing(&test.app).await.certificates.remove(0);
    let fault = wrong.fault.expect("a fault");
    assert!(fault.message.contains("does not reach this machine"), "{fault:?}");
    assert!(fault.remedy.contains("Open port"), "{fault:?}");
    let again = test.app.fetch_certificates_now(Actor::system("test", None)).await;
    assert!(again.is_err(), "whoever presses on has the domain locked out");

    // The domain is changed while the portal runs.
    let domains = Some(vec!["www.example.com".to_owned()]);
    test.app.set_https(Actor::system("test", None), domains, None).await.expect("a change");
    until_issued(&test.app).await;
    assert_eq!(standing(&test.app).await.domains, ["www.example.com"]);
    let client = browser(Some(acme.root().await));
    let url = format!("https://www.example.com:{}/sign-in", test.https_port);
    until(async || client.get(&url).send().await.is_ok()).await;
    test.stop().await;
}

/// Whoever has mended the cause does not wait for hours, and does not have to know why.
#[actix_web::test]
async fn mending_the_cause_leads_to_a_new_attempt() {
    if !Acme::is_installed() {
        return;
    }
    let acme = Acme::start().await;
    acme.point(DOMAIN, "127.0.0.2").await;
    let test = portal_of(&acme, ChallengeChoice::Auto, &[DOMAIN]).await;
    let fault = async || standing(&test.app).await.certificates.remove(0).fault;
    until(async || fault().await.is_some()).await;
    // The address of the administrator has nothing to do with it; the attempt is made none the less.
    let set = async |email: &str| {
        let email = Some(email.to_owned());
        test.app.set_https(Actor::system("test", None), None, email).await.expect("a change");
    };
    let first = fault().await.expect("a fault");
    test.clock.advance(SignedDuration::from_secs(21));
    set("new@example.com").await;
    assert!(standing(&test.app).await.certificates[0].is_under_way, "the old fault is not told");
    until(async || fault().await.is_some_and(|now| now.at > first.at)).await;
    // And again with the DNS mended, and nothing here.
    acme.point(DOMAIN, "127.0.0.1").await;
    test.clock.advance(SignedDuration::from_secs(21));
    set("new@example.com").await;
    until_issued(&test.app).await;
    test.stop().await;
}

#[actix_web::test]
async fn without_a_certificate_of_others_the_portal_shows_its_own_and_forces_nobody() {
    let test = TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.https.domains = vec![DOMAIN.into()];
        config.https.acme = "off".into();
    })
    .await;
    let client = browser(None);
    let secure = format!("https://{DOMAIN}:{}/sign-in", test.https_port);
    let answer = asked(&client, &secure).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header_of(&answer, header::STRICT_TRANSPORT_SECURITY), None);
    let plain = client.get(format!("{}/sign-in", test.url)).header("host", DOMAIN).send().await;
    assert_eq!(plain.expect("an answer").status(), StatusCode::OK);
    assert_eq!(standing(&test.app).await.source, CertificateSource::SelfSigned);
    let strict = Client::builder().resolve(DOMAIN, "127.0.0.1:0".parse().expect("an address"));
    let strict = strict.build().expect("a client");
    assert!(strict.get(&secure).send().await.is_err(), "nobody believes it");
    test.stop().await;
}

#[actix_web::test]
async fn a_certificate_of_ones_own_is_read_again_when_its_files_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let first = write_own(&chain, &key);
    let (of_chain, of_key) = (chain.clone(), key.clone());
    let test = TestApp::spawn_with(move |config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.https.certificate_file = of_chain;
        config.https.key_file = of_key;
    })
    .await;
    let url = format!("https://{DOMAIN}:{}/healthz", test.https_port);
    assert_eq!(asked(&browser(Some(first.clone())), &url).await.status(), StatusCode::OK);

    // Half-written, then whole.
    let before = fs::read(&chain).expect("a file");
    fs::write(&chain, "no certificate").expect("a file");
    test.app.look_at_certificates();
    until(async || standing(&test.app).await.certificates[0].fault.is_some()).await;
    assert_eq!(asked(&browser(Some(first)), &url).await.status(), StatusCode::OK);
    // The old content again is as good as before.
    fs::write(&chain, before).expect("a file");
    test.app.look_at_certificates();
    until(async || standing(&test.app).await.certificates[0].fault.is_none()).await;
    // One that cannot be read is told with what to do.
    fs::remove_file(&key).expect("it is there");
    test.app.look_at_certificates();
    until(async || standing(&test.app).await.certificates[0].fault.is_some()).await;
    let fault = standing(&test.app).await.certificates.remove(0).fault.expect("a fault");
    assert!(fault.remedy.contains("must be able to read it"), "{fault:?}");
    let second = write_own(&chain, &key);
    test.app.look_at_certificates();
    until(async || browser(Some(second.clone())).get(&url).send().await.is_ok()).await;
    assert!(standing(&test.app).await.certificates[0].fault.is_none());
    test.stop().await;
}

/// Writes a certificate and its key; the root that it is trusted by.
pub fn write_own(chain: &Path, key: &Path) -> Certificate {
    write_own_until(chain, key, 2100)
}

/// One that ends when this year begins.
fn write_own_until(chain: &Path, key: &Path, year: i16) -> Certificate {
    let root = issue(DOMAIN, chain, key, [date(2025, 1, 1), date(year, 1, 1)]);
    Certificate::from_pem(root.as_bytes()).expect("a certificate")
}

/// By an authority of one's own; its root in PEM.
fn issue(name: &str, chain: &Path, key: &Path, life: [Date; 2]) -> String {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::new(Vec::new()).expect("no names");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "Northlight root");
    let own = KeyPair::generate().expect("a key");
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let at =
        |day: Date| rcgen::date_time_ymd(day.year().into(), day.month() as u8, day.day() as u8);
    (leaf.not_before, leaf.not_after) = (at(life[0]), at(life[1]));
    let revoked = vec!["http://ca.example.com/revoked.crl".to_owned()];
    leaf.crl_distribution_points = vec![rcgen::CrlDistributionPoint { uris: revoked }];
    let leaf = leaf.signed_by(&own, &Issuer::from_params(&root, &root_key)).expect("a certificate");
    fs::write(key, own.serialize_pem()).expect("a file");
    fs::write(chain, leaf.pem()).expect("a file");
    root.self_signed(&root_key).expect("a root").pem()
}

/// A portal at a shell that shows a certificate of an authority of one's own, whose root is in
/// `root.pem`; it trusts `ca_file`.
fn certify(shell: &Shell, port: u16, ca_file: &str) {
    let folder = shell.folder();
    let path = |name: &str| folder.join(name);
    if !path("root.pem").exists() {
        // As long as those of authorities that browsers trust.
        let now = Clock::system().now();
        let day = |days: i64| (now + SignedDuration::from_hours(24 * days)).to_zoned(TimeZone::UTC);
        let life = [day(-1).date(), day(89).date()];
        let root = issue("localhost", &path("chain.pem"), &path("key.pem"), life);
        fs::write(path("root.pem"), root).expect("a file");
    }
    let folder = folder.display();
    shell.configure(&format!(
        "public_url = \"https://localhost:{port}\"\n[https]\nca_file = \"{ca_file}\"\n\
         certificate_file = \"{folder}/chain.pem\"\nkey_file = \"{folder}/key.pem\"\n"
    ));
}

#[test]
fn check_trusts_an_authority_of_ones_own() {
    let (shell, port) = (Shell::new(), free_port());
    certify(&shell, port, "");
    let server = shell.serve(&["--listen-https", &format!("127.0.0.1:{port}")]);
    let checked = shell.run(&["check"]).expect(3);
    assert!(checked.out.contains("cannot be reached"), "{checked:?}");
    certify(&shell, port, &shell.folder().join("root.pem").display().to_string());
    let checked = shell.run(&["check"]).expect(0);
    assert!(checked.out.contains(&format!("https://localhost:{port} answers")), "{checked:?}");
    server.stop();
}

/// Of the machine's choice: nobody says which, so it is chosen before.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").port()
}

/// A portal with a certificate of its own, for which browsers trust somebody.
async fn portal_with_files(
    folder: &tempfile::TempDir,
    year: i16,
    configure: impl FnOnce(&mut Config),
) -> TestApp {
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    write_own_until(&chain, &key, year);
    TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.https.certificate_file = chain;
        config.https.key_file = key;
        configure(config);
    })
    .await
}

/// What is answered without TLS to whoever asks for the domain: the code, and where it leads.
async fn plain(test: &TestApp, before: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = test.url.strip_prefix("http://").expect("an address");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let ask =
        format!("{before}GET /sign-in HTTP/1.1\r\nhost: {DOMAIN}\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.expect("writing");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let mut head = answer.lines().take_while(|line| !line.is_empty());
    let code = head.next().and_then(|line| line.split(' ').nth(1)).expect("a code").to_owned();
    match head.find_map(|line| line.strip_prefix("location: ")) {
        Some(to) => format!("{code} {to}"),
        None => code,
    }
}

#[actix_web::test]
async fn a_certificate_that_has_run_out_forces_nobody_to_https() {
    let folder = tempfile::tempdir().expect("a folder");
    let test = portal_with_files(&folder, 2027, |config| {
        config.https.domains = vec![DOMAIN.into()];
    })
    .await;
    let secure = format!("https://{DOMAIN}:{}/sign-in", test.https_port);
    assert_eq!(plain(&test, "").await, format!("301 {secure}"));
    let strict = asked(&browser(None), &secure).await;
    assert!(header_of(&strict, header::STRICT_TRANSPORT_SECURITY).is_some());

    test.clock.advance(SignedDuration::from_hours(24 * 60));
    test.app.look_at_certificates();
    until(async || plain(&test, "").await == "200").await;
    let lax = asked(&browser(None), &secure).await;
    assert_eq!(header_of(&lax, header::STRICT_TRANSPORT_SECURITY), None);
    test.stop().await;
}

/// Which the proxy has taken off: to be sent to HTTPS again would lead round in circles.
#[actix_web::test]
async fn who_comes_by_https_through_a_proxy_is_not_sent_there_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let test = portal_with_files(&folder, 2100, |config| {
        config.public_url = Some(format!("https://{DOMAIN}"));
        config.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
        config.proxy_protocol = true;
    })
    .await;
    let through = |port: u16| format!("PROXY TCP4 192.0.2.7 198.51.100.1 56324 {port}\r\n");
    assert_eq!(plain(&test, &through(443)).await, "200");
    assert_eq!(plain(&test, &through(8080)).await, "200");
    // The machine passes port 443 on to the one that is listened on.
    assert_eq!(plain(&test, &through(80)).await, format!("301 https://{DOMAIN}/sign-in"));
    test.stop().await;
}

#[actix_web::test]
async fn an_administrator_sets_the_domain_in_the_portal() {
    let test = TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.https.acme = "off".into();
    })
    .await;
    let ada = test.person("ada").await;
    let wrong = [("domains", "https://wrong"), ("email", "")];
    let shown = ada.send("/admin/https", &wrong).await;
    assert_eq!(shown.status, 422);
    shown.says("is not a domain");
    let right = [("domains", "Docs.Example.com"), ("email", "ops@example.com")];
    ada.submit("/admin/https", &right).await.says("Saved").says("browsers warn");
    assert_eq!(test.app.domains(), [DOMAIN]);
    test.stop().await;
}

#[actix_web::test]
async fn a_connection_on_which_nobody_shakes_hands_is_closed() {
    use tokio::io::AsyncReadExt;
    let test = TestApp::spawn_with(|config| {
        config.listen_https = Some(([127, 0, 0, 1], 0).into());
        config.limits.head_seconds = 1;
    })
    .await;
    let address = ("127.0.0.1", test.https_port);
    let mut silent = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let mut bytes = Vec::new();
    let closed =
        tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut bytes)).await;
    closed.expect("it is closed").ok();
    test.stop().await;
}

/// Severities that are worth a word: of the protocols, the ciphers, known weaknesses, the certificate, and
/// the headers.
#[test]
fn testssl_finds_nothing() {
    use std::process::Command;
    if Command::new("testssl").arg("--version").output().is_err() {
        eprintln!("skipped: testssl is not installed (tests/run.sh does)");
        return;
    }
    let (shell, port) = (Shell::new(), free_port());
    certify(&shell, port, "");
    let server = shell.serve(&["--listen-https", &format!("127.0.0.1:{port}")]);
    let found = shell.folder().join("found.json");
    let output = Command::new("testssl")
        .args(["--quiet", "--color", "0", "--warnings", "off", "--openssl-timeout", "10"])
        .args(["--ip", "127.0.0.1", "--add-ca"])
        .arg(shell.folder().join("root.pem"))
        .args(["-p", "-s", "-f", "-U", "-S", "-h", "-P", "--jsonfile"])
        .arg(&found)
        .arg(format!("localhost:{port}"))
        .output()
        .expect("testssl");
    let text = fs::read_to_string(&found)
        .unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&output.stdout)));
    let findings: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    assert!(findings.len() > 20, "{text}");
    let is_serious = |one: &&serde_json::Value| {
        ["MEDIUM", "HIGH", "CRITICAL", "FATAL"]
            .contains(&one["severity"].as_str().unwrap_or_default())
    };
    // BREACH is suspected of every compressed page. It needs a victim whose browser sends the session
    // along while another site asks again and again, which SameSite=Lax does not let it.
    let is_guess = |one: &&serde_json::Value| one["id"] == "BREACH";
    let serious: Vec<_> = findings.iter().filter(is_serious).filter(|one| !is_guess(one)).collect();
    assert!(serious.is_empty(), "{serious:#?}");
    server.stop();
}
