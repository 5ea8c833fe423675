//! `appliance update` where nothing is installed: the channel, whose word is taken, and what is said
//! when something is wrong. The update itself is in `installed/updating.rs`.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use appliance::{
    app::Changeover,
    release::{self, MACHINE, Origin, PublicKey, SecretKey, Trust},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Shell, releases};

/// A folder behind https://localhost, with a certificate that `authority` vouches for.
struct Channel {
    url: String,
    authority: String,
}

impl Channel {
    async fn serve(folder: &Path) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let ca_key = KeyPair::generate().expect("a key");
        let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&ca_key).expect("an authority").pem();
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let own = own.signed_by(&key, &Issuer::new(ca, ca_key)).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a certificate");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let folder = folder.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not trust it goes away again.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = vec![0; 8 << 10];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&head[..length]).into_owned();
                let name = text.split(' ').nth(1).unwrap_or("/").rsplit('/').next().unwrap_or("");
                let elsewhere = fs::read_to_string(folder.join(format!("{name}.elsewhere")));
                let (status, body) = match fs::read(folder.join(name)) {
                    _ if elsewhere.is_ok() => ("302 Found", Vec::new()),
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                };
                let length = body.len();
                let place = elsewhere.map(|to| format!("location: {to}\r\n")).unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{place}\
                     connection: close\r\n\r\n"
                );
                // A client that has gone is no matter.
                let _sent = stream.write_all(&[head.into_bytes(), body].concat()).await;
                let _closed = stream.shutdown().await;
            }
        });
        Channel { url: format!("https://localhost:{port}/appliance"), authority }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_says_whether_there_is_a_newer_version() {
    let shell = Shell::new();
    let folder = shell.folder().join("releases");
    let key = releases::publish(&folder, "9.0.0", b"\x7fELF a program");
    let channel = Channel::serve(&folder).await;
    let authority = shell.file("authority.pem", &channel.authority);
    let configure = |key: &str| {
        shell.configure(&format!("[update]\nurl = \"{}\"\npublic_key = \"{key}\"\n", channel.url));
    };
    let check = |more: &[&str]| {
        let mut command = shell.command(&[&["update", "--check"], more].concat());
        command.env("SSL_CERT_FILE", &authority);
        crate::support::finish(command)
    };
    configure(&key);
    let newer = tokio::task::block_in_place(|| check(&["--json"])).expect(0).json();
    assert_eq!((&newer["newest"], &newer["is_newer"]), (&"9.0.0".into(), &true.into()));
    assert_eq!(newer["archive"], releases::archive_name("9.0.0"));
    let told = tokio::task::block_in_place(|| check(&[])).expect(0).out;
    assert!(told.contains("Version 9.0.0 is there"), "{told}");

    let stranger = SecretKey::generate().expect("a key").public_key().to_text();
    configure(&stranger);
    let refused = tokio::task::block_in_place(|| check(&[])).expect(1);
    assert!(refused.err.contains("not by the expected key"), "{refused:?}");
    configure("");
    let keyless = tokio::task::block_in_place(|| check(&[])).expect(2);
    assert!(keyless.err.contains("--unsigned"), "{keyless:?}");
    tokio::task::block_in_place(|| check(&["--unsigned"])).expect(0);

    configure(&key);
    let own = env!("CARGO_PKG_VERSION");
    let old = fs::read_to_string(folder.join(release::SUMS)).expect("the list");
    fs::write(folder.join(release::SUMS), old.replace("-9.0.0-", &format!("-{own}-")))
        .expect("a list");
    let forged = tokio::task::block_in_place(|| check(&[])).expect(1);
    assert!(forged.err.contains("not by the expected key"), "{forged:?}");
    let same = tokio::task::block_in_place(|| check(&["--unsigned"])).expect(0);
    assert_eq!(same.out, format!("This is the newest version: {own}.\n"));
    let unsigned = folder.join(release::SIGNATURE);
    fs::remove_file(&unsigned).expect("no signature");
    let refused = tokio::task::block_in_place(|| check(&[])).expect(1);
    assert!(refused.err.contains("is not signed"), "{refused:?}");

    // Nobody on the way could have changed what comes by https, so nothing else is followed.
    let elsewhere = folder.join(format!("{}.elsewhere", release::SUMS));
    fs::write(&elsewhere, channel.url.replace("https:", "http:") + "/SHA256SUMS").expect("a way");
    let led_away = tokio::task::block_in_place(|| check(&[])).expect(1);
    assert!(led_away.err.contains("cannot be fetched"), "{led_away:?}");
    fs::write(&elsewhere, format!("{}/other", channel.url)).expect("a way");
    fs::write(folder.join("other"), old.repeat(20_000)).expect("a long list");
    let endless = tokio::task::block_in_place(|| check(&["--unsigned"])).expect(1);
    assert!(endless.err.contains("too long"), "{endless:?}");

    // Whose certificate nobody vouches for is not asked anything.
    let mut strange = shell.command(&["update", "--check"]);
    strange.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
    let strange = tokio::task::block_in_place(|| crate::support::finish(strange)).expect(1);
    assert!(strange.err.contains("cannot be fetched"), "{strange:?}");
}

#[test]
fn without_a_channel_or_a_service_a_sentence_says_what_to_do() {
    let shell = Shell::new();
    let nowhere = shell.run(&["update", "--check", "--unsigned"]).expect(2);
    assert!(nowhere.err.contains("update.url"), "{nowhere:?}");
    let file = shell.file("appliance", "\x7fELF");
    let by_hand = shell.run(&["update", "--unsigned", &file]).expect(2);
    assert!(by_hand.err.contains("appliance install"), "{by_hand:?}");
    let back = shell.run(&["rollback"]).expect(2);
    assert!(back.err.contains("appliance install"), "{back:?}");
    shell.configure("[update]\nurl = \"http://releases.example.com\"\n");
    let plain = shell.run(&["update", "--check"]).expect(2);
    assert!(plain.err.contains("https://"), "{plain:?}");
}

/// What becomes of a release in a folder when somebody takes it.
/// Whatever stands between the portal and its visitors, the rehearsal is visited without it.
#[test]
fn a_rehearsal_needs_no_proxy() {
    let shell = Shell::new();
    shell.serve(&[]).stop();
    shell.configure("proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let data = shell.data();
    let rehearsed = shell.run(&["changeover", "rehearse", "--data", data.to_str().expect("UTF-8")]);
    assert_eq!(rehearsed.expect(0).json()["damages_total"], 0);
}

async fn taken(folder: &Path, name: &str, trust: &Trust) -> Result<release::Fetched, String> {
    let into = tempfile::tempdir().expect("a folder");
    let origin = Origin::named(&folder.join(name).display().to_string()).expect("a file");
    let fetched = release::fetch(&origin, into.path(), trust, |_, _| {}).await;
    fetched.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_release_is_taken_only_as_it_was_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let name = releases::archive_name("9.0.0");
    let key = releases::publish(folder, "9.0.0", b"\x7fELF a program");
    let trust = Trust::Key(PublicKey::from_text(&key).expect("a key"));
    let fetched = taken(folder, &name, &trust).await.expect("a release");
    assert!(fetched.is_signed && fetched.is_compared);

    let archive = fs::read(folder.join(&name)).expect("the archive");
    let renamed = format!("appliance-9.9.9-{MACHINE}-linux.tar.gz");
    fs::write(folder.join(&renamed), &archive).expect("another name");
    let refused = taken(folder, &renamed, &trust).await.expect_err("the name is signed too");
    assert!(refused.contains("does not name"), "{refused}");

    let mut exchanged = archive.clone();
    exchanged[100] ^= 1;
    fs::write(folder.join(&name), &exchanged).expect("another program");
    for trust in [&trust, &Trust::Nobody] {
        let refused = taken(folder, &name, trust).await.expect_err("another program");
        assert!(refused.contains("not what its checksum says"), "{refused}");
    }
    fs::write(folder.join(&name), &archive[..archive.len() / 2]).expect("half of it");
    let refused = taken(folder, &name, &trust).await.expect_err("half of it");
    assert!(refused.contains("not what its checksum says"), "{refused}");

    fs::remove_file(folder.join(release::SUMS)).expect("no list");
    let refused = taken(folder, &name, &trust).await.expect_err("no list");
    assert!(refused.contains("is not signed"), "{refused}");
    let fetched = taken(folder, &name, &Trust::Nobody).await.expect("whatever it is");
    assert!(!fetched.is_signed && !fetched.is_compared);
}

#[test]
fn of_the_archives_from_before_updates_the_last_three_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let changeover = Changeover::of(folder.path());
    changeover.prune_archives().expect("nothing to do");
    changeover.prepare().expect("a folder");
    let other = changeover.folder().join("notes.tar.zst");
    fs::write(&other, b"somebody's").expect("a file");
    // By their age, whatever the versions are called.
    let versions = ["2.0.0", "10.0.0", "1.0.0", "9.0.0", "3.0.0"];
    for (days, version) in versions.into_iter().enumerate() {
        let archive = fs::File::create(changeover.archive(version)).expect("an archive");
        let at = UNIX_EPOCH + Duration::from_secs(86_400 * days as u64);
        archive.set_modified(at).expect("a time");
    }
    changeover.prune_archives().expect("pruned");
    let is_there = |version: &&str| changeover.archive(version).exists();
    let left: Vec<&str> = versions.into_iter().filter(is_there).collect();
    assert_eq!(left, ["1.0.0", "9.0.0", "3.0.0"]);
    assert!(other.exists());
}
