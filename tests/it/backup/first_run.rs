//! "Restore a backup" of the first-run page: a fresh server becomes the portal in the backup.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use reqwest::{
    Client,
    multipart::{Form, Part},
};

use super::{BackupSource, Lock, Made, Target, back_up, dump, from, library, restored, wanted};
use crate::support::{NewPortal, PASSWORD, Shell, manager::Manager, program::Server};

/// What the page says when it is over.
async fn ended(client: &Client, link: &str) -> String {
    for _ in 0..600 {
        let asked = client.get(format!("{link}/restore/state")).send().await;
        // The server begins again: for a moment nobody answers.
        if let Ok(answer) = asked {
            let html = answer.text().await.unwrap_or_default();
            if !html.contains("data-pending") {
                return html;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never ended");
}

async fn sign_in(client: &Client, server: &Server, name: &str) -> Option<u16> {
    let login = serde_json::json!({ "username": name, "password": PASSWORD });
    let answer = client.post(format!("{}/api/login", server.url)).json(&login).send().await;
    answer.ok().map(|answer| answer.status().as_u16())
}

async fn begin(client: &Client, link: &str, form: Form) -> (u16, String) {
    let answer = client.post(format!("{link}/restore")).multipart(form).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a page"))
}

fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

async fn made(lock: Lock) -> (crate::support::Still, Made) {
    let still = library().await;
    let wanted = super::BackupWanted { lock, ..wanted(Target::Folder) };
    let made = back_up(&still.app, wanted).await;
    (still, made)
}

#[test]
fn a_fresh_server_becomes_the_portal_of_an_uploaded_archive() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let link = server.setup_link().expect("a setup link").to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let passphrase = appliance::backup::Passphrase("correct horse battery".into());
        let (still, made) = made(Lock::Passphrase(passphrase)).await;
        let archive = fs::read(&made.place).expect("the archive");
        let client = client();
        let page = client.get(&link).send().await.expect("a page").text().await.expect("a page");
        assert!(page.contains("Restore it instead"), "{page}");
        let form = |secret: &str, archive: &[u8]| {
            let part = Part::bytes(archive.to_vec()).file_name("a.tar.zst.age");
            Form::new().text("secret", secret.to_owned()).part("archive", part)
        };
        // Whatever is wrong leaves the fresh portal as it was, and one may try again.
        for (secret, archive, says) in [
            ("wrong horse battery", &archive[..], "The passphrase is wrong."),
            ("", &archive[..], "encrypted"),
            ("correct horse battery", &archive[..archive.len() / 2], "cut off"),
            ("", &b"this is no archive at all"[..], "no backup"),
        ] {
            let (status, _) = begin(&client, &link, form(secret, archive)).await;
            assert_eq!(status, 303, "{says}");
            let html = ended(&client, &link).await;
            assert!(html.contains(says) && html.contains("nothing has changed"), "{html}");
            assert!(!shell.data().join("restoring").exists(), "{says}");
            assert_eq!(sign_in(&client, &server, "ada").await, Some(401));
        }
        let (status, html) = begin(&client, &link, form("", b"")).await;
        assert!(status == 422 && html.contains("The file is empty."), "{status} {html}");

        let (status, _) = begin(&client, &link, form("correct horse battery", &archive)).await;
        assert_eq!(status, 303);
        ended(&client, &link).await;
        let mut signed_in = None;
        for _ in 0..200 {
            signed_in = sign_in(&client, &server, "ada").await;
            if signed_in == Some(200) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(signed_in, Some(200), "the accounts of the backup are there");
        let gone = client.get(format!("{link}/restore")).send().await.expect("an answer");
        assert_eq!(gone.status(), 404, "the link is used up");
        let want = dump(&still.app.store).len();
        drop(still);
        server.stop();
        assert!(!shell.data().join("restoring").exists());
        let app = super::sound(&shell.data()).await;
        // What was restored, the note of it, and the event of signing in.
        let found = dump(&app.store).len();
        assert!(found > want && found < want + 20, "{found} {want}");
    });
}

#[test]
fn a_fresh_server_restores_what_is_on_its_host() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let link = server.setup_link().expect("a setup link").to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (still, _) = made(Lock::Open).await;
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("repository").display().to_string();
        back_up(&still.app, wanted(Target::Repository(place.clone()))).await;
        let client = client();
        for (source, says) in [
            ("", "Choose an archive to upload"),
            ("-", "Choose an archive to upload"),
            ("/nowhere/at/all", "There is nothing at /nowhere/at/all."),
            ("/dev/zero", "There is nothing at /dev/zero."),
        ] {
            let form = Form::new().text("source", source.to_owned());
            let (status, html) = begin(&client, &link, form).await;
            assert!(status == 422 && html.contains(says), "{source}: {status} {html}");
            assert!(!shell.data().join("restoring").exists());
        }
        let form = |signer: &str| {
            Form::new().text("source", place.clone()).text("signer", signer.to_owned())
        };
        let stranger = format!("{}=", "A".repeat(43));
        for (signer, says) in
            [("a name", "This is no key of a signer"), (&stranger, "No snapshot here is signed by")]
        {
            let (status, html) = begin(&client, &link, form(signer)).await;
            let html = if status == 303 { ended(&client, &link).await } else { html };
            assert!(html.contains(says), "{signer}: {status} {html}");
            assert!(!shell.data().join("restoring").exists());
        }
        let wrong = link.replace("/setup/", "/setup/x");
        assert_eq!(begin(&client, &wrong, form("")).await.0, 404);
        let own = still.app.backup_signer_key().await.expect("a key").to_string();
        assert_eq!(begin(&client, &link, form(&own)).await.0, 303);
        ended(&client, &link).await;
        for _ in 0..200 {
            if sign_in(&client, &server, "ada").await == Some(200) {
                server.stop();
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the accounts of the backup are not there");
    });
}

/// It may take its time, with somebody in the middle of an upload, and the service manager must not
/// think that it hangs. Whoever stops the service meanwhile wants it to end, and not to be cut off.
#[test]
fn the_service_manager_does_not_end_a_portal_that_begins_again() {
    let patience = Duration::from_secs(3);
    let shell = Shell::new();
    let mut command = shell.command(&["serve"]);
    let manager = Manager::of(&shell, &mut command, patience);
    let mut server = Server::start(command);
    let link = server.setup_link().expect("a setup link").to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_still, made) = runtime.block_on(made(Lock::Open));
    // A request that is under way and does not end.
    let address = server.url.strip_prefix("http://").expect("an address");
    let mut upload = TcpStream::connect(address).expect("a connection");
    upload
        .write_all(
            b"POST /api/login HTTP/1.1\r\nhost: localhost\r\n\
              content-type: application/json\r\ncontent-length: 50\r\n\r\n{",
        )
        .expect("writing");
    runtime.block_on(async {
        let form = Form::new().text("source", made.place);
        assert_eq!(begin(&client(), &link, form).await.0, 303);
    });
    manager.hear("STATUS=beginning again");
    let begin = Instant::now();
    while begin.elapsed() < patience * 2 {
        let silent_since = Instant::now();
        manager.hear("WATCHDOG=1");
        assert!(silent_since.elapsed() < patience, "{:?}", silent_since.elapsed());
    }
    server.signal(libc::SIGTERM);
    manager.hear("STOPPING=1");
    upload.write_all(&[b' '; 49]).expect("writing");
    assert_eq!(server.wait(), Some(0));
}

/// The link of a portal that somebody administers restores nothing.
#[tokio::test]
async fn only_a_fresh_portal_is_restored_from_a_page() {
    let portal = NewPortal::spawn().await;
    let secret = portal.app.setup_link.issue().expect("a setup link");
    let link = format!("{}/setup/{}", portal.url, secret.reveal());
    let folder = tempfile::tempdir().expect("a folder");
    let (still, made) = made(Lock::Open).await;
    let new = appliance::domain::users::NewUser {
        username: "root".into(),
        email: "root@example.com".into(),
        full_name: String::new(),
        password: portal.app.new_password(PASSWORD.into(), &[]).await.expect("a hash"),
        is_admin: true,
        role: appliance::domain::access::Role::Manager,
    };
    portal
        .app
        .store
        .write(move |tx| {
            let actor = appliance::domain::access::Actor::system("test", None);
            let organization = appliance::domain::organizations::create(tx, &actor, "Northlight")?;
            appliance::domain::users::create(tx, &actor, organization.id, new)
        })
        .await
        .expect("an administrator");
    let form = Form::new().text("source", made.place.clone());
    let (status, html) = begin(&client(), &link, form).await;
    assert!(status == 409 && html.contains("This portal has an administrator."), "{status} {html}");
    assert!(!portal.app.config.data.join("restoring").exists());
    let data = folder.path().join("data");
    restored(&data, from(BackupSource::Archive(made.place.into()))).await.expect("it is fine");
    assert!(Path::new(&data).exists());
    drop(still);
}
