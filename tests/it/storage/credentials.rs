//! Where credentials come from, each source with a server of its own.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use appliance::{
    clock::Clock,
    config::S3Config,
    s3::{Fault, Patience, connect_in},
};
use jiff::SignedDuration;
use object_store::{ObjectStoreExt, path::Path as Key};

use crate::support::{
    fakes::{Authority, Fake},
    s3::{ACCESS_KEY, S3Server, SECRET_KEY},
};

/// Settings without a key.
fn settings(s3: &S3Server) -> S3Config {
    let mut config = s3.storage(None).s3;
    config.access_key_id = String::new();
    config.secret_access_key = "".into();
    config
}

/// Writes and reads an object, with what the environment has.
async fn works(config: &S3Config, variables: &[(&str, &str)]) -> Result<(), String> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let environment = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let clients = connect_in(config, Patience::SHORT, &environment).map_err(|it| it.chain())?;
    round_trip(&clients.store).await
}

async fn round_trip(store: &object_store::aws::AmazonS3) -> Result<(), String> {
    let key = Key::from("probe");
    store.put(&key, "some bytes".into()).await.map_err(|error| error.to_string())?;
    let read = store.get(&key).await.map_err(|error| error.to_string())?;
    assert_eq!(read.bytes().await.unwrap().as_ref(), b"some bytes");
    Ok(())
}

fn key_json(lifetime: SignedDuration) -> String {
    let expiration = Clock::system().now() + lifetime;
    format!(
        "{{\"AccessKeyId\":\"{ACCESS_KEY}\",\"SecretAccessKey\":\"{SECRET_KEY}\",\"Token\":\"a \
         token\",\"Expiration\":\"{expiration:.0}\"}}"
    )
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_from_the_environment_or_from_a_profile_of_the_shared_file() {
    let s3 = S3Server::start();
    let config = settings(&s3);
    let key = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    works(&config, &key).await.unwrap();
    let wrong = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", "another")];
    assert!(works(&config, &wrong).await.is_err());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let profiles = format!(
        "[default]\naws_access_key_id = AKIANOBODY\naws_secret_access_key = none\n[portal]\n\
         aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    fs::write(&file, profiles).unwrap();
    let shared = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
    works(&config, &[shared, ("AWS_PROFILE", "portal")]).await.unwrap();
    assert!(works(&config, &[shared]).await.is_err(), "the key of the default profile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_is_exchanged_for_a_key() {
    let (s3, authority) = (S3Server::start(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let (token, ca) = (folder.path().join("token"), folder.path().join("ca.pem"));
    fs::write(&token, "who-I-am").unwrap();
    fs::write(&ca, authority.pem()).unwrap();
    let expiration = Clock::system().now() + HOUR;
    let sts = Fake::start(Some(authority.server("localhost", 2100)), move |_| {
        let xml = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <SessionToken>a token</SessionToken><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
             <AccessKeyId>{ACCESS_KEY}</AccessKeyId><Expiration>{expiration:.0}</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        (200, xml)
    });
    let mut config = settings(&s3);
    config.ca_file = ca;
    let address = format!("https://localhost:{}", sts.address.port());
    let identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/portal"),
        ("AWS_ROLE_SESSION_NAME", "portal"),
        ("AWS_ENDPOINT_URL_STS", &address),
    ];
    works(&config, &identity).await.unwrap();
    let asked = sts.asked();
    assert_eq!(asked.len(), 1, "once for both requests: {asked:?}");
    assert!(asked[0].contains("AssumeRoleWithWebIdentity"), "{asked:?}");
    assert!(asked[0].contains("who-I-am") && asked[0].contains("role%2Fportal"), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_or_a_container_asks_its_agent() {
    let s3 = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "let-me-in").unwrap();
    let agent = Fake::start(None, |head| {
        match head.to_ascii_lowercase().contains("authorization: let-me-in") {
            true => (200, key_json(HOUR)),
            false => (401, String::new()),
        }
    });
    let address = format!("http://{}/v1/credentials", agent.address);
    let pod = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
    ];
    works(&settings(&s3), &pod).await.unwrap();
    assert_eq!(agent.asked().len(), 1);
    fs::write(&token, "wrong").unwrap();
    assert!(works(&settings(&s3), &pod).await.is_err());
}

/// A metadata service of version 2, which answers nobody without a token.
fn metadata(lifetime: SignedDuration, is_away: Arc<AtomicBool>) -> Fake {
    Fake::start(None, move |head| {
        let is_known = head.to_ascii_lowercase().contains("x-aws-ec2-metadata-token: secret");
        let path = head.split(' ').nth(1).unwrap_or_default();
        match (is_away.load(Ordering::SeqCst), path) {
            (true, _) => (404, String::new()),
            (_, "/latest/api/token") if head.starts_with("PUT ") => (200, "secret".into()),
            _ if !is_known => (401, String::new()),
            (_, path) if path.ends_with("/security-credentials/") => (200, "portal".into()),
            (_, path) if path.ends_with("/portal") => (200, key_json(lifetime)),
            _ => (404, String::new()),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_a_machine_is_renewed_before_it_ends_and_outlives_an_absent_service() {
    let s3 = S3Server::start();
    let config = settings(&s3);
    let is_away = Arc::new(AtomicBool::new(false));
    let long = metadata(HOUR, is_away.clone());
    let short = metadata(SignedDuration::from_mins(4), is_away.clone());
    let keys = |fake: &Fake| {
        let asked = fake.asked();
        asked.iter().filter(|head| head.contains("/portal ")).count()
    };
    let connect = |fake: &Fake| {
        let address = format!("http://{}", fake.address);
        let environment =
            move |name: &str| (name == "AWS_METADATA_ENDPOINT").then(|| address.clone());
        connect_in(&config, Patience::SHORT, &environment).unwrap().store
    };
    let (calm, pressed) = (connect(&long), connect(&short));
    for _ in 0..3 {
        round_trip(&calm).await.unwrap();
        round_trip(&pressed).await.unwrap();
        // A key is fetched anew at most ten times a second.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(keys(&long), 1, "an hour is long");
    assert!(keys(&short) >= 3, "with four minutes left it is renewed");

    is_away.store(true, Ordering::SeqCst);
    let asked = short.asked().len();
    for _ in 0..5 {
        round_trip(&pressed).await.unwrap();
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    let tries = short.asked().len() - asked;
    assert!((1..=3).contains(&tries), "it is not asked for every request: {tries}");
    let none = connect(&short);
    assert!(round_trip(&none).await.is_err(), "there never was a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_whoever_hands_out_credentials_answers_says_nothing_about_s3() {
    let s3 = S3Server::start();
    for (status, body) in [(404, ""), (400, "<Error><Code>ExpiredTokenException</Code></Error>")] {
        let nobody = Fake::start(None, move |_| (status, body.to_owned()));
        let address = format!("http://{}", nobody.address);
        let environment = |name: &str| (name == "AWS_METADATA_ENDPOINT").then(|| address.clone());
        let clients = connect_in(&settings(&s3), Patience::SHORT, &environment).unwrap();
        let error = clients.store.get(&Key::from("probe")).await.unwrap_err();
        let fault = Fault::of(&error);
        assert!(fault.text.contains(&status.to_string()), "{}", fault.text);
        assert!(fault.is_outage() && !fault.is_missing_object(), "{fault:?}");
        let advice = fault.advice("s3:GetObject", "everything");
        assert!(advice.starts_with("There are no credentials."), "{advice}");
    }
}
