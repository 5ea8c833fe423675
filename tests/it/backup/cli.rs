//! Backups at a shell, with a server that runs and without one; and what `kill -9` leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use appliance::backup::sealing;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{PASSWORD, Shell};

/// A portal with some documents, and the server that runs on it.
fn library(shell: &Shell, documents: usize) -> crate::support::program::Server {
    shell.add_user("ada", &["--admin", "--organization", "Northlight"]);
    let server = shell.serve(&[]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let login = serde_json::json!({ "username": "ada", "password": PASSWORD });
        let answer = client.post(format!("{}/api/login", server.url)).json(&login).send().await;
        let answer: Value = answer.expect("an answer").json().await.expect("JSON");
        let token = answer["access_token"].as_str().expect("a token");
        for number in 0..documents {
            let text = format!("document {number} ").repeat(2_000);
            let part = reqwest::multipart::Part::text(text).file_name(format!("{number}.txt"));
            let form = reqwest::multipart::Form::new().part("file", part);
            let url = format!("{}/api/admin/documents/upload", server.url);
            let answer = client.post(url).bearer_auth(token).multipart(form).send().await;
            assert_eq!(answer.expect("an answer").status(), 201);
        }
    });
    server
}

fn restore(shell: &Shell, more: &[&str]) -> crate::support::program::Ended {
    shell.run(&[&["restore"], more].concat())
}

#[test]
fn a_backup_is_made_listed_verified_and_restored_at_a_shell() {
    let shell = Shell::new();
    let server = library(&shell, 5);
    let made = shell.run(&["backup"]).expect(0).out;
    assert!(made.contains("verified") && made.contains("5 files"), "{made}");
    assert!(made.contains("Not encrypted: it holds every file, and secrets"), "{made}");
    let path =
        made.lines().next().and_then(|line| line.strip_prefix("archive    ")).expect("a path");
    assert!(PathBuf::from(path).starts_with(shell.data().join("backups")), "{path}");

    let file = shell.folder().join("here.tar.zst").display().to_string();
    let json = shell.run(&["backup", &file, "--json"]).expect(0).json();
    assert_eq!((&json["place"], &json["is_verified"]), (&file.clone().into(), &true.into()));
    let stream = shell.folder().join("stream.tar.zst");
    let mut command = shell.command(&["backup", "-"]);
    command.stdout(fs::File::create(&stream).expect("a file")).stderr(Stdio::piped());
    let ended = command.output().expect("a run");
    assert!(ended.status.success(), "{ended:?}");
    let stream = stream.display().to_string();
    for archive in [path, &file, &stream] {
        let found = shell.run(&["backup", "verify", archive]).expect(0).out;
        assert!(found.contains("Everything is whole."), "{found}");
    }
    let listed = shell.run(&["backup", "list"]).expect(0).out;
    assert!(listed.contains("appliance-northlight-"), "{listed}");
    assert!(restore(&shell, &[&file, "--replace"]).expect(11).err.contains("Stop it first"));
    server.stop();

    // Without a server, on the same host and on another one.
    restore(&shell, &[&file]).expect(1);
    let done = restore(&shell, &[&file, "--replace"]).expect(0).out;
    assert!(done.contains("What was there is in "), "{done}");
    shell.run(&["check", "--deep"]).expect(0);
    let other = Shell::new();
    assert!(other.run(&["backup", "verify", &stream]).expect(0).out.contains("5 files"));
    restore(&other, &[&stream]).expect(0);
    other.run(&["check", "--deep"]).expect(0);
    assert!(other.run(&["backup"]).expect(0).out.contains("verified"));
    other.run(&["backup", "drill"]).expect(0);
    let exported = other.run(&["export", "library"]).expect(0).out;
    assert!(exported.starts_with("Wrote 5 documents with 5 files"), "{exported}");
}

#[test]
fn a_repository_is_used_at_a_shell() {
    let shell = Shell::new();
    let server = library(&shell, 5);
    let passphrase = shell.file("passphrase", "correct horse battery");
    let to = ["backup", "--to", "repository", "--passphrase-file", &passphrase];
    let first = shell.run(&[&to[..], &["--json"]].concat()).expect(0).json();
    let second = shell.run(&["backup", "--to", "repository", "--json"]).expect(0).json();
    let written = |made: &Value| made["written_bytes"].as_u64().expect("a number");
    assert!(written(&second) < written(&first), "{second}");
    // The portal knows the key of its own repository.
    let listed = shell.run(&["backup", "list", "repository", "--json"]).expect(0).json();
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(listed["backups"][0]["files"], 5);
    let signer = shell.run(&["backup", "signer"]).expect(0).out.trim().to_owned();
    assert_eq!(
        (&listed["signer"], &listed["backups"][1]["signer"]),
        (&signer.clone().into(), &signer.clone().into())
    );
    let shown = shell.run(&["backup", "list", "repository"]).expect(0).out;
    assert!(shown.contains("by this portal"), "{shown}");
    shell.run(&["backup", "verify", "repository", "--all-data"]).expect(0);
    shell.run(&["backup", "prune", "repository"]).expect(1);
    let pruned = shell.run(&["backup", "prune", "repository", "--keep-last", "1"]).expect(0).out;
    assert!(pruned.starts_with("Kept 1 backup, removed 1 backup"), "{pruned}");
    shell.run(&["backup", "drill", "repository"]).expect(0);
    let plan = [
        "backup",
        "plan",
        "--on",
        "--to",
        "repository",
        "--at",
        "03:30",
        "--ship-every-seconds",
        "5",
    ];
    let plan = shell.run(&plan).expect(0).out;
    assert!(plan.contains("when        every 24 hours, from 03:30 UTC"), "{plan}");
    server.stop();

    let other = Shell::new();
    let repository = shell.folder().join("repository").display().to_string();
    let locked = restore(&other, &[&repository]).expect(1);
    assert!(locked.err.contains("encrypted"), "{locked:?}");
    let wrong = other.file("wrong", "wrong horse battery");
    let refused = restore(&other, &[&repository, "--passphrase-file", &wrong]).expect(1);
    assert!(refused.err.contains("The passphrase is wrong."), "{refused:?}");
    let elsewhere = Shell::new();
    elsewhere.add_user("bob", &["--admin", "--organization", "Elsewhere"]);
    let stranger = elsewhere.run(&["backup", "signer"]).expect(0).out;
    let pinned = |key: &str| {
        restore(
            &Shell::new(),
            &[&repository, "--passphrase-file", &passphrase, "--signer", key.trim()],
        )
    };
    assert!(pinned(&stranger).expect(10).err.contains("No snapshot here is signed by"));
    assert!(pinned(&signer).expect(0).out.contains(&format!("Signed by {signer}.")));
    restore(&other, &[&repository, "--passphrase-file", &passphrase]).expect(0);
    other.run(&["check", "--deep"]).expect(0);
}

#[test]
fn a_damaged_archive_ends_with_3_and_nonsense_with_a_sentence() {
    let shell = Shell::new();
    library(&shell, 40).stop();
    let file = shell.folder().join("a.tar.zst").display().to_string();
    shell.run(&["backup", &file]).expect(0);
    let mut bytes = fs::read(&file).expect("the archive");
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    let damaged = shell.folder().join("damaged.tar.zst");
    fs::write(&damaged, &bytes).expect("a file");
    let damaged = damaged.display().to_string();
    shell.run(&["backup", "verify", &damaged]).expect(3);
    let nonsense = shell.file("nonsense.tar.zst", "this is no backup");
    let other = Shell::new();
    let refused = restore(&other, &[&nonsense]).expect(1);
    assert!(refused.err.contains("no backup of a portal"), "{refused:?}");
    assert_eq!(restore(&other, &["/nowhere"]).expect(10).out, "");
    assert!(!other.data().join("appliance.redb").exists());
}

/// Kills the program after a while; whether it was still at work.
fn kill_after(shell: &Shell, arguments: &[&str], pause: Duration) -> bool {
    let mut command = shell.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a run");
    std::thread::sleep(pause);
    let was_at_work = child.try_wait().expect("a look").is_none();
    // It may have ended already.
    let _killed = child.kill();
    child.wait().expect("its end");
    was_at_work
}

/// As by Ctrl-C: nothing is left of what was begun.
#[test]
fn an_archive_that_is_interrupted_leaves_nothing_behind() {
    let shell = Shell::new();
    let server = library(&shell, 1);
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let target = shell.folder().join("target");
    fs::create_dir(&target).expect("a folder");
    let file = target.join("here.tar.zst").display().to_string();
    // A server that does nothing at all meanwhile.
    let patience = Duration::from_secs(60);
    server.signal(libc::SIGSTOP);
    let mut command = shell.command(&["backup", &file]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
    let begin = Instant::now();
    while names(&target).is_empty() && begin.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    let own = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(own, Signal::TERM).expect("a signal");
    assert!(!child.wait().expect("its end").success());
    assert_eq!(names(&target), Vec::<String>::new());
    let left = names(&shell.data());
    assert!(left.iter().all(|name| !name.starts_with(".pipe-")), "{left:?}");
    server.signal(libc::SIGCONT);
    // And one that is not, with nobody here who could look into it.
    let public = sealing::new_pair().0;
    let made = shell.run(&["backup", &file, "--recipient", &public]).expect(0).out;
    assert!(made.contains("state      verified"), "{made}");
    assert_eq!(names(&target), ["here.tar.zst"]);
    let mut command = shell.command(&["backup", "-", "--recipient", &public, "--json"]);
    let said = command.stdout(Stdio::null()).output().expect("a run").stderr;
    let said: Value = serde_json::from_slice(&said).expect("JSON");
    assert_eq!(said["is_encrypted"], true);
    server.stop();
}

#[test]
fn killed_backups_and_prunes_leave_a_sound_repository() {
    let shell = Shell::new();
    library(&shell, 40).stop();
    let commands: [&[&str]; 3] = [
        &["backup", "--to", "repository"],
        &["backup", "prune", "repository", "--keep-last", "2"],
        &["backup"],
    ];
    let whole = commands.map(|command| {
        let began = Instant::now();
        shell.run(command).expect(0);
        began.elapsed()
    });
    let mut cut = 0;
    for eighths in 1..8 {
        for (command, whole) in commands.iter().zip(whole) {
            cut += u32::from(kill_after(&shell, command, whole * eighths / 8));
        }
        shell.run(&["backup", "verify", "repository", "--all-data"]).expect(0);
    }
    assert!(cut > 4, "too few were cut off");
    // The leases of the dead hold nobody up.
    shell.run(&["backup", "--to", "repository"]).expect(0);
    shell.run(&["backup", "prune", "repository", "--keep-last", "1"]).expect(0);
    shell.run(&["backup", "verify", "repository", "--all-data"]).expect(0);
    let listed = shell.run(&["backup", "list", "repository", "--json"]).expect(0).json();
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_killed_restore_leaves_the_old_portal_or_the_new_one() {
    let shell = Shell::new();
    library(&shell, 40).stop();
    let new = shell.folder().join("new.tar.zst").display().to_string();
    shell.run(&["backup", &new]).expect(0);
    let other = Shell::new();
    other.add_user("old", &["--admin", "--organization", "Old place"]);
    let is_new = |shell: &Shell| {
        let users = shell.run(&["user", "list", "--json"]).expect(0).json();
        users["users"][0]["username"] == "ada"
    };
    for pause_ms in [10, 40, 80, 120, 160, 200, 240, 280, 320, 400] {
        kill_after(&other, &["restore", &new, "--replace"], Duration::from_millis(pause_ms));
        let took_place = is_new(&other);
        other.run(&["check", "--deep"]).expect(0);
        if took_place {
            break;
        }
    }
    restore(&other, &[&new, "--replace"]).expect(0);
    assert!(is_new(&other));
    assert!(!other.data().join("restoring").exists());
}
