//! How S3 is reached: TLS with an authority of one's own, the two ways to name a bucket, what is sent
//! with each write, and bodies that are cut off.

use std::{fs, path::Path, process::Stdio};

use appliance::{
    blobs::Outcome,
    clock::Clock,
    config::{Delivery, Encryption, StorageConfig},
};
use jiff::SignedDuration;

use super::{Site, open};
use crate::{
    blobs::{MIB, collect, content, upload},
    support::{
        Shell, TestApp,
        fakes::Authority,
        program::finish,
        s3::{Disturbance, FaultProxy, S3Server},
    },
};

/// What the check advises first; `None` when everything works.
async fn advice(folder: &tempfile::TempDir, storage: &StorageConfig) -> Option<String> {
    let clock = Clock::held(Clock::system().now());
    let steps = open(folder, storage, &clock).check_remote().await;
    steps.into_iter().find_map(|step| match step.outcome {
        Outcome::Fails { advice, .. } => Some(advice),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_an_authority_of_its_own_works_and_each_mistake_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let with = |server: &S3Server, scheme: &str, ca: &Path| {
        let mut storage = server.storage(None);
        let port = storage.s3.endpoint.rsplit(':').next().unwrap().to_owned();
        storage.s3.endpoint = format!("{scheme}://localhost:{port}");
        storage.s3.ca_file = ca.to_owned();
        storage
    };
    let sound = S3Server::start_tls(authority.server("localhost", 2100));
    assert_eq!(advice(&folder, &with(&sound, "https", &ca)).await, None);

    let other_ca = folder.path().join("other.pem");
    fs::write(&other_ca, Authority::new().pem()).unwrap();
    let expired = S3Server::start_tls(authority.server("localhost", 2020));
    let misnamed = S3Server::start_tls(authority.server("s3.example.com", 2100));
    let plain = S3Server::start();
    for (server, scheme, ca, wanted) in [
        (&sound, "https", other_ca.as_path(), "storage.s3.ca_file"),
        (&sound, "https", Path::new(""), "storage.s3.ca_file"),
        (&expired, "https", &ca, "has run out"),
        (&misnamed, "https", &ca, "is for another name. Check storage.s3.endpoint"),
        (&sound, "http", &ca, "Begin storage.s3.endpoint with https://"),
        (&plain, "https", &ca, "does not speak https there. Set storage.s3.endpoint"),
    ] {
        let said = advice(&folder, &with(server, scheme, ca)).await.expect("a mistake");
        assert!(said.contains(wanted), "{scheme} {wanted}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_authorities_that_is_none_stops_the_start() {
    let site = Site::new();
    let file = site.folder.path().join("ca.pem");
    let empty = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (text, wanted) in [
        (None, "cannot be read"),
        (Some("not a certificate"), "does not hold certificates in PEM: there is none"),
        (Some(empty), "does not hold certificates in PEM"),
        (
            Some("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"),
            "does not hold certificates in PEM",
        ),
    ] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let mut config = site.storage.s3.clone();
        config.ca_file = file.clone();
        let refused = appliance::s3::connect(&config, appliance::s3::Patience::SHORT).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.starts_with("storage.s3.ca_file: "), "{refused}");
        assert!(refused.contains(wanted), "{text:?}: {refused}");
    }
}

/// The name of the bucket stands before that of the server: no resolver knows it here, so requests go
/// through the server as their proxy, as they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_named_in_the_host_as_well() {
    let s3 = S3Server::start_for("s3.example.test");
    let shell = Shell::new();
    shell.add_user("ada", &["--admin"]);
    let (endpoint, path_style) = (s3.storage(None).s3.endpoint, "path_style = true");
    let configuration = s3.configuration(None);
    assert!(configuration.contains(path_style));
    let configuration = configuration
        .replace(path_style, "path_style = false")
        .replace(&endpoint, "http://s3.example.test");
    shell.configure(&configuration);
    let mut command = shell.command(&["storage", "check", "--json"]);
    command.env("http_proxy", &endpoint).env_remove("no_proxy").env_remove("NO_PROXY");
    command.stdin(Stdio::null());
    let checked = tokio::task::spawn_blocking(move || finish(command)).await.unwrap();
    let steps = checked.expect(0).json()["steps"].clone();
    assert_eq!(steps.as_array().unwrap().len(), 9, "{steps:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_and_storage_class_go_with_every_kind_of_write() {
    for (encryption, wanted) in [
        (Encryption::Aes256, &["x-amz-server-side-encryption: AES256"][..]),
        (
            Encryption::Kms,
            &[
                "x-amz-server-side-encryption: aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:key",
            ],
        ),
    ] {
        let site = Site::with(|storage| {
            storage.s3.encryption = encryption;
            storage.s3.storage_class = "STANDARD".into();
            if encryption == Encryption::Kms {
                storage.s3.kms_key = "arn:aws:kms:key".into();
            }
        });
        site.stored(&content(950, 10_000)).await;
        site.stored(&content(951, 9 * MIB)).await;
        site.blobs.check_remote().await;
        // A probe.
        let waiting = upload(&site.blobs, &content(952, 10_000)).await.unwrap().hash;
        site.proxy
            .disturb(Disturbance::Only("PUT", Box::new(Disturbance::Answer(500, "InternalError"))));
        assert!(site.blobs.store(waiting).await.is_err());
        site.proxy.disturb(Disturbance::None);
        site.wait_until_it_works().await;

        let heads = site.proxy.take_heads();
        // Parts inherit it from their beginning, and completing carries none.
        let writes: Vec<_> = heads
            .iter()
            .filter(|head| {
                let target = head.split(' ').nth(1).unwrap();
                (head.starts_with("PUT ") && !target.contains("partNumber"))
                    || target.contains("?uploads") && head.starts_with("POST ")
            })
            .collect();
        for kind in ["appliance-owner", "appliance-probe", "appliance-check", "?uploads"] {
            assert!(writes.iter().any(|head| head.contains(kind)), "{kind}");
        }
        for head in writes {
            for header in wanted.iter().copied().chain(["x-amz-storage-class: STANDARD"]) {
                let has = head.lines().any(|line| line.eq_ignore_ascii_case(header));
                assert!(has, "{header}: {head}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_goes_on_where_it_was_and_opens_no_breaker() {
    let site = Site::new();
    let bytes = content(960, 3 * MIB);
    let hash = site.stored(&bytes).await;
    site.proxy.take_heads();
    site.proxy.disturb(Disturbance::Cut(MIB - 1_000));
    assert_eq!(site.read(hash).await, bytes);
    let range = 10..2 * MIB as u64;
    let opened = site.blobs.open(hash, Some(range.clone())).await.unwrap();
    assert_eq!(collect(opened).await, bytes[range.start as usize..range.end as usize]);
    assert!(!site.blobs.is_degraded());
    let heads = site.proxy.take_heads();
    let resumed = |head: &&String| {
        let head = head.to_ascii_lowercase();
        head.contains("\r\nrange: bytes=") && head.contains("\r\nif-match: ")
    };
    assert!(heads.iter().filter(resumed).count() > 0, "{heads:?}");

    // A hundred cuts are too many; that is an error of this one, for smaller ones can be read.
    site.proxy.disturb(Disturbance::Cut(30_000));
    assert!(site.try_read(hash).await.is_err());
    assert!(!site.blobs.is_degraded());
    let asked = site.proxy.requests();
    assert!(asked < 40, "it gives up after a few: {asked}");
    site.proxy.disturb(Disturbance::None);
    assert_eq!(site.read(hash).await, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_downloads_through_the_portal_never_sees_a_cut() {
    let s3 = S3Server::start();
    let proxy = FaultProxy::start(&s3);
    let mut storage = s3.storage(Some(&proxy));
    storage.delivery = Delivery::Proxy;
    let app = TestApp::spawn_with(|config| config.storage = storage).await;
    let ada = app.signed_in("ada").await;
    let bytes = content(970, 3 * MIB);
    let made = ada.upload("film.bin", &bytes, &[]).await;
    app.settle().await;
    proxy.disturb(Disturbance::Cut(MIB));
    let path = format!("/api/documents/{}/download", made["id"].as_str().unwrap());
    let answer = ada.send("GET", &path, None).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap() == bytes, "other bytes");
    assert!(!app.app.blobs.is_degraded());
    proxy.disturb(Disturbance::None);
    app.clock.advance(SignedDuration::from_secs(1));
    app.stop().await;
}
