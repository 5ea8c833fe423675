//! The command line, as a person at a shell uses it: with a server that runs and without one.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{PASSWORD, Shell, finish, program::PATIENCE};

/// Every verb on the data does the same whoever has it open.
fn with_and_without_a_server(test: impl Fn(&Shell)) {
    let alone = Shell::new();
    test(&alone);

    let served = Shell::new();
    let server = served.serve(&[]);
    test(&served);
    server.stop();
}

fn users(shell: &Shell) -> Vec<Value> {
    let json = shell.run(&["user", "list", "--json"]).expect(0).json();
    json["users"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn the_server_says_where_it_is_and_how_to_set_it_up() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.greeting);
    assert_ne!(server.port(), "0");
    let link = server.setup_link().expect("a setup link");
    assert!(link.starts_with(&format!("{}/setup/", server.url)), "{link}");
    let alive = reqwest::get(format!("{}/healthz", server.url)).await.expect("an answer");
    assert_eq!(alive.status(), 200);
    server.stop();
}

#[test]
fn the_setup_link_is_printed_anew_until_somebody_administers_the_portal() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let first = server.setup_link().expect("a setup link").to_owned();
    let second = shell.run(&["setup-link"]).expect(0);
    assert_ne!(second.out.trim(), first);
    server.stop();
    let server = shell.serve(&[]);
    assert!(server.setup_link().is_some_and(|link| link != first));
    shell.add_user("ada", &["--admin"]);
    assert!(shell.run(&["setup-link"]).expect(1).err.contains("set up already"));
    server.stop();
    assert_eq!(shell.serve(&[]).setup_link(), None);
    shell.run(&["setup-link"]).expect(10);
}

#[test]
fn the_first_administrator_begins_the_organization() {
    with_and_without_a_server(|shell| {
        let added = shell.add_user("ada", &["--admin", "--organization", "Northlight"]);
        assert_eq!(added.out, "Began “Northlight” with its administrator ada.\n");
        let users = users(shell);
        assert_eq!(users.len(), 1);
        let expected = json!({
            "id": users[0]["id"], "username": "ada", "email": "ada@example.com", "full_name": "",
            "is_administrator": true, "is_disabled": false,
            "memberships": [{ "organization": "Northlight", "role": "admin" }],
            "created_at": users[0]["created_at"], "signed_in_at": null,
        });
        assert_eq!(users[0], expected);
    });
}

#[test]
fn without_a_name_the_organization_gets_one() {
    let shell = Shell::new();
    let added = shell.add_user("ada", &["--admin"]);
    assert_eq!(added.out, "Began “My organization” with its administrator ada.\n");
}

#[test]
fn people_are_added_listed_and_locked_out() {
    with_and_without_a_server(|shell| {
        shell.add_user("ada", &["--admin"]);
        let added = shell.add_user("bob", &["--role", "editor", "--full-name", "Bob Noyce"]);
        assert_eq!(added.out, "Added bob to “My organization” as editor.\n");

        let table = shell.run(&["user", "list"]).expect(0).out;
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        let column = lines[0].find("ROLE").expect("a title");
        assert_eq!(lines[1].find("administrator"), Some(column), "{table}");
        assert_eq!(lines[2].find("editor"), Some(column), "{table}");
        assert!(lines[2].contains("Bob Noyce") && lines[2].ends_with("never"), "{table}");
        assert!(!table.contains('\x1b'), "no colors but on a terminal");

        // By name or by address, however it is capitalized.
        shell.run(&["user", "disable", "BOB@example.com"]).expect(0);
        assert_eq!(users(shell)[1]["is_disabled"], true);
        shell.run(&["user", "enable", "Bob"]).expect(0);
        assert_eq!(users(shell)[1]["is_disabled"], false);

        let last = shell.run(&["user", "disable", "ada"]).expect(1);
        assert!(last.err.contains("last administrator"), "{last:?}");
    });
}

#[test]
fn who_does_not_exist_is_not_found() {
    with_and_without_a_server(|shell| {
        shell.add_user("ada", &["--admin"]);
        for verb in ["disable", "enable"] {
            let ended = shell.run(&["user", verb, "nobody"]).expect(10);
            assert!(ended.err.contains("“nobody”"), "{ended:?}");
        }
        shell.run(&["user", "passwd", "nobody", "--generate"]).expect(10);
    });
}

#[test]
fn a_name_or_address_that_is_taken_is_refused() {
    with_and_without_a_server(|shell| {
        shell.add_user("ada", &["--admin"]);
        let password = shell.file("password", PASSWORD);
        let again =
            ["user", "add", "Ada", "--email", "other@example.com", "--password-file", &password];
        assert!(shell.run(&again).expect(1).err.contains("is taken"));
        let unknown = ["--organization", "Nowhere"];
        let ended = shell.run(&[&again[..], &unknown[..]].concat()).expect(10);
        assert!(ended.err.contains("“Nowhere”") && ended.err.contains("My organization"));
    });
}

#[test]
fn who_comes_first_must_be_an_administrator() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let password = shell.file("password", PASSWORD);
    let add = ["user", "add", "bob", "--email", "bob@example.com", "--password-file", &password];
    assert!(shell.run(&add).expect(1).err.contains("--admin"));
    server.stop();
}

#[tokio::test]
async fn a_made_up_password_is_printed_once_and_works() {
    let shell = Shell::new();
    shell.add_user("ada", &["--admin"]);
    let server = shell.serve(&[]);
    let ended = shell.run(&["user", "passwd", "ada", "--generate"]).expect(0);
    let password = ended.out.lines().find_map(|line| line.strip_prefix("Password: "));
    let password = password.expect("a password").to_owned();
    assert!(password.len() > 20);
    assert!(!shell.run(&["user", "list", "--json"]).expect(0).out.contains(&password));
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let answer = async |password: &str| {
        client
            .post(format!("{}/api/login", server.url))
            .json(&json!({ "username": "ada", "password": password }))
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(answer(&password).await, 200);
    assert_eq!(answer(PASSWORD).await, 401);
    server.stop();
}

#[test]
fn a_password_is_not_guessed() {
    let shell = Shell::new();
    let add = ["user", "add", "ada", "--email", "ada@example.com", "--admin"];
    let ended = shell.run(&add).expect(2);
    assert!(ended.err.contains("--password-file"), "{ended:?}");
    let with = |file: &str| [&add[..], &["--password-file", file]].concat().join("\n");
    let run = |file: &str| shell.run(&with(file).split('\n').collect::<Vec<_>>());
    assert!(run(&shell.file("short", "short\n")).expect(1).err.contains("8 characters"));
    run(&shell.file("empty", "\n")).expect(2);
    run("/nowhere/at/all").expect(2);

    let mut piped = shell.command(&[&add[..], &["--password-file", "-"]].concat());
    piped.stdin(fs::File::open(shell.file("long", "a tall green kettle\nmore\n")).expect("a file"));
    finish(piped).expect(0);
}

#[test]
fn a_verb_makes_no_portal_where_there_is_none() {
    let shell = Shell::new();
    for verb in [&["user", "list"][..], &["check"], &["reindex"], &["status"]] {
        let ended = shell.run(verb).expect(10);
        assert!(ended.err.starts_with("error: "), "{ended:?}");
    }
    assert!(!shell.data().exists(), "looking changes nothing");
}

#[test]
fn wrong_usage_ends_with_2() {
    let shell = Shell::new();
    shell.run(&[]).expect(2);
    shell.run(&["dance"]).expect(2);
    shell.run(&["serve", "--listen", "nowhere"]).expect(2);
    let role = ["user", "add", "a", "--email", "a@b", "--role", "king", "--generate"];
    assert!(shell.run(&role).expect(2).err.contains("viewer"));
}

#[test]
fn a_port_that_is_in_use_is_named() {
    let shell = Shell::new();
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("its address").to_string();
    let ended = shell.run(&["serve", "--listen", &address]).expect(11);
    let port = address.rsplit(':').next().expect("a port");
    assert!(ended.err.contains(&format!("Port {port} is in use")), "{ended:?}");
    assert!(ended.err.contains(&format!("process {}", std::process::id())), "{ended:?}");
    assert!(ended.err.contains("--listen"), "{ended:?}");
    assert!(!shell.data().exists(), "nothing was begun");
}

#[test]
fn data_that_is_in_use_is_said_to_be() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let ended = shell.run(&["serve"]).expect(11);
    assert!(ended.err.contains(&server.url), "{ended:?}");
    assert!(ended.err.contains(&format!("process {}", server.pid())), "{ended:?}");
    server.stop();
}

#[test]
fn a_server_that_does_not_answer_is_said_to_be_there() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    server.signal(libc::SIGSTOP);
    let ended = shell.run(&["user", "list"]).expect(11);
    assert!(ended.err.contains("does not answer"), "{ended:?}");
    shell.run(&["status"]).expect(11);
    server.signal(libc::SIGCONT);
    shell.run(&["status"]).expect(0);
    server.stop();
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let shell = Shell::new();
    shell.add_user("ada", &["--admin"]);
    let mut server = shell.serve(&[]);
    server.signal(libc::SIGKILL);
    assert_eq!(server.wait(), None);
    assert!(shell.data().join("control.sock").exists(), "its socket is still there");
    assert_eq!(users(&shell).len(), 1);
    let server = shell.serve(&[]);
    assert_eq!(users(&shell).len(), 1);
    server.stop();
    assert!(!shell.data().join("control.sock").exists());
}

#[test]
fn two_verbs_at_once_wait_for_each_other() {
    let shell = Shell::new();
    shell.add_user("ada", &["--admin"]);
    let password = shell.file("password", PASSWORD);
    let children: Vec<_> = (0..4)
        .map(|number| {
            let (name, email) = (format!("user{number}"), format!("{number}@example.com"));
            let arguments = ["user", "add", &name, "--email", &email, "--password-file", &password];
            shell.command(&arguments).spawn().expect("starting the program")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("its end");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!(users(&shell).len(), 5);
}

#[test]
fn a_signal_ends_the_server_cleanly_and_the_end_of_a_terminal_does_not() {
    let shell = Shell::new();
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut server = shell.serve(&[]);
        server.signal(libc::SIGHUP);
        shell.run(&["status"]).expect(0);
        let begin = Instant::now();
        server.signal(signal);
        assert_eq!(server.wait(), Some(0));
        assert!(begin.elapsed() < Duration::from_secs(5), "took {:?}", begin.elapsed());
    }
}

#[test]
fn status_tells_how_the_server_is() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let status = shell.run(&["status", "--json"]).expect(0).json();
    assert_eq!(status["url"], server.url.as_str());
    assert_eq!(status["pid"], server.pid());
    assert_eq!(status["is_set_up"], false);
    assert_eq!(status["people"], 0);
    assert!(shell.run(&["status"]).expect(0).out.contains(&server.url));
    assert_eq!(status["running"], true);
    server.stop();
    shell.run(&["status"]).expect(10);
    let stopped = shell.run(&["status", "--json"]).expect(10).json();
    assert_eq!(stopped["running"], false);
    assert!(stopped["why"].as_str().is_some_and(|why| why.contains("appliance serve")));
}

/// Waits until the server has read all files.
fn wait_for_jobs(shell: &Shell) {
    let begin = Instant::now();
    loop {
        let status = shell.run(&["status", "--json"]).expect(0).json();
        assert_eq!(status["jobs_failed"], 0, "{status}");
        let is_idle = status["jobs_waiting"] == 0 && status["jobs_running"] == 0;
        if is_idle && status["index_behind"] == 0 {
            return;
        }
        assert!(begin.elapsed() < PATIENCE * 2, "the jobs do not end: {status}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test]
async fn the_sample_organization_is_complete_and_whole() {
    let shell = Shell::new();
    let server = shell.serve(&["--demo"]);
    assert_eq!(server.setup_link(), None, "{}", server.greeting);
    let people: Vec<&str> = ["clara", "tomas", "jonas", "ines", "mira"].into();
    for name in &people {
        assert!(server.greeting.contains(&format!("  {name} ")), "{}", server.greeting);
    }
    let password = server.greeting.lines().last().and_then(|line| line.rsplit(' ').next());
    let login = json!({ "username": "mira", "password": password });
    let client = reqwest::Client::new();
    let answer = client.post(format!("{}/api/login", server.url)).json(&login).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.expect("a token");
    let token = answer["access_token"].as_str().expect("a token");
    let listed = client.get(format!("{}/api/documents", server.url)).bearer_auth(token);
    let listed = listed.send().await.expect("an answer");
    assert_eq!(listed.status(), 200, "nobody is asked for another password first");
    assert_eq!(users(&shell).len(), people.len());

    wait_for_jobs(&shell);
    let report = shell.run(&["check", "--deep", "--json"]).expect(0).json();
    assert_eq!(report["damages"], json!([]));
    assert_eq!(report["documents"], 16);
    // One of the documents is a link, and one has two versions.
    assert_eq!(report["files"], 16);
    server.stop();

    let report = shell.run(&["check", "--json"]).expect(0).json();
    assert_eq!(report["documents"], 16);
    let again = shell.serve(&["--demo"]);
    assert!(again.greeting.contains("No sample content was added"), "{}", again.greeting);
    again.stop();
}

#[test]
fn a_missing_file_is_found_by_check() {
    let shell = Shell::new();
    let server = shell.serve(&["--demo"]);
    wait_for_jobs(&shell);
    let folders = fs::read_dir(shell.data().join("objects")).expect("the files");
    let mut objects = folders
        .flat_map(|folder| fs::read_dir(folder.expect("a folder").path()).into_iter().flatten())
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_none())
        .collect::<Vec<_>>();
    objects.sort();
    let (missing, damaged) = (&objects[0], &objects[1]);
    fs::remove_file(missing).expect("removing a file");
    let mut content = fs::read(damaged).expect("a file");
    content[0] ^= 1;
    fs::write(damaged, content).expect("damaging a file");

    let name =
        |path: &std::path::Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let quick = shell.run(&["check"]).expect(3);
    assert!(quick.out.contains(&format!("The file {} is missing.", name(missing))), "{quick:?}");
    assert!(quick.out.contains("1 damage found.") && quick.out.contains("backup"), "{quick:?}");
    server.stop();
    let deep = shell.run(&["check", "--deep", "--json"]).expect(3).json();
    assert_eq!(deep["damages_total"], 2, "{deep}");
    let sentences = deep["damages"].to_string();
    assert!(sentences.contains(&format!("The file {} is damaged", name(damaged))), "{sentences}");
}

#[test]
fn the_search_index_is_built_anew() {
    let shell = Shell::new();
    let server = shell.serve(&["--demo"]);
    wait_for_jobs(&shell);
    let ended = shell.run(&["reindex"]).expect(0);
    assert_eq!(ended.out, "The search index is new and holds 16 documents.\n");
    shell.run(&["check"]).expect(0);
    server.stop();

    fs::remove_dir_all(shell.data().join("index")).expect("removing the index");
    let ended = shell.run(&["reindex"]).expect(0);
    assert_eq!(ended.out, "The search index is new and holds 16 documents.\n");
    shell.run(&["check"]).expect(0);
}

#[test]
fn the_doctor_says_what_to_do_about_everything_it_finds() {
    with_and_without_a_server(|shell| {
        shell.add_user("ada", &["--admin"]);
        let ended = shell.run(&["doctor", "--json"]);
        let findings = ended.json()["findings"].as_array().expect("a list").clone();
        let abouts: Vec<&str> =
            findings.iter().map(|finding| finding["about"].as_str().expect("a word")).collect();
        for about in [
            "configuration",
            "server",
            "data folder",
            "disk space",
            "port",
            "backups",
            "jobs",
            "search index",
            "sandbox",
        ] {
            assert!(abouts.contains(&about), "{about} is not in {abouts:?}");
        }
        for finding in &findings {
            assert_eq!(finding["level"] == "fine", finding["remedy"].is_null(), "{finding}");
        }
        let has_problem = findings.iter().any(|finding| finding["level"] == "problem");
        assert_eq!(ended.code, if has_problem { 3 } else { 0 }, "{findings:?}");
        let text = shell.run(&["doctor"]);
        assert!(text.out.contains("search index"), "{text:?}");
    });
}

#[test]
fn the_doctor_finds_what_is_wrong_around_the_portal() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    shell.add_user("ada", &["--admin"]);
    fs::set_permissions(shell.data(), fs::Permissions::from_mode(0o755))
        .expect("opening the folder");
    let put_aside = shell.data().join("update/earlier/1.0.0@2026-11-21T10-00-00.redb");
    fs::create_dir_all(put_aside.parent().expect("a folder")).expect("a folder");
    fs::write(&put_aside, b"records").expect("records");
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut command = shell.command(&["doctor", "--json"]);
    command.env("APPLIANCE_LISTEN", holder.local_addr().expect("its address").to_string());
    let findings = finish(command).expect(3).json();
    let about = |wanted: &str| {
        let all = findings["findings"].as_array().expect("a list");
        all.iter().find(|finding| finding["about"] == wanted).expect(wanted).clone()
    };
    assert_eq!(about("data folder")["level"], "warning");
    assert!(
        about("data folder")["remedy"].as_str().is_some_and(|remedy| remedy.contains("chmod 700"))
    );
    let path = put_aside.display().to_string();
    let aside = about("records put aside");
    assert!(aside["message"].as_str().is_some_and(|message| message.contains(&path)), "{aside}");
    assert_eq!(about("port")["level"], "problem");
    let process = format!("process {}", std::process::id());
    assert!(about("port")["message"].as_str().is_some_and(|message| message.contains(&process)));

    let wrong = shell.file("wrong.toml", "lisen = 1\n");
    let ended = shell.run(&["--config", &wrong, "doctor"]).expect(3);
    assert!(ended.out.contains("Did you mean “listen”?"), "{ended:?}");
}

#[test]
fn the_version_is_told_in_both_ways() {
    let shell = Shell::new();
    let version = env!("CARGO_PKG_VERSION");
    let json = shell.run(&["version", "--json"]).expect(0).json();
    assert_eq!((&json["name"], &json["version"]), (&json!("appliance"), &json!(version)));
    assert!(shell.run(&["version"]).expect(0).out.starts_with(&format!("appliance {version} ")));
    assert_eq!(shell.run(&["--version"]).expect(0).out, format!("appliance {version}\n"));
}

#[test]
fn completions_can_be_read_by_their_shells() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish"] {
        let script = shell.run(&["completions", name]).expect(0).out;
        assert!(script.contains("reindex"), "{name} knows our verbs");
        assert!(!script.contains("worker"), "the inner verb is nobody's business");
        let path = shell.file(name, &script);
        let checked = Command::new(name).args(["-n", &path]).stderr(Stdio::piped()).output();
        match checked {
            Ok(output) => assert!(output.status.success(), "{name}: {output:?}"),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                assert_ne!(name, "bash", "bash is there wherever tests run");
            }
        }
    }
    shell.run(&["completions", "cmd"]).expect(2);
}

#[test]
fn an_error_is_one_line_and_its_causes_are_told_when_asked_for() {
    let shell = Shell::new();
    fs::write(shell.data(), "not a folder").expect("a file");
    let ended = shell.run(&["serve"]).expect(1);
    let errors = |text: &str| text.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors(&ended.err), 1, "{ended:?}");
    assert!(!ended.err.contains("because: "), "{ended:?}");
    let verbose = shell.run(&["serve", "-v"]).expect(1);
    assert!(verbose.err.contains("\n  because: "), "{verbose:?}");
}

#[test]
fn nothing_secret_is_in_the_log() {
    let shell = Shell::new();
    let log = shell.folder().join("log");
    let mut command = shell.command(&["serve"]);
    command.env("RUST_LOG", "trace,h2=off");
    command.stderr(fs::File::create(&log).expect("a log"));
    let mut child = command.spawn().expect("starting the program");
    let begin = Instant::now();
    while shell.run(&["status"]).code != 0 {
        assert!(begin.elapsed() < PATIENCE, "the server does not start");
    }
    let link = shell.run(&["setup-link"]).expect(0).out;
    let secret = link.trim().rsplit('/').next().expect("a secret").to_owned();
    shell.add_user("ada", &["--admin"]);
    // SAFETY: sends a signal to our own child, which has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    child.wait().expect("its end");
    let log = fs::read_to_string(&log).expect("the log");
    assert!(log.contains("the portal is running"), "{log}");
    assert!(!log.contains(&secret) && !log.contains(PASSWORD), "a secret is in the log");
    let lines = log.lines().filter(|line| serde_json::from_str::<Value>(line).is_err());
    assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "without a terminal it is JSON");
}

#[test]
fn the_manual_is_inside_the_program() {
    let shell = Shell::new();
    let page = shell.run(&["man"]).expect(0).out;
    assert!(page.contains(".TH appliance 1") && page.contains("install"), "{page}");
    assert!(shell.run(&["man", "backup", "plan"]).expect(0).out.contains("every\\-hours"));
    shell.run(&["man", "dance"]).expect(2);
    let folder = shell.folder().join("pages");
    fs::create_dir(&folder).expect("a folder");
    shell.run(&["man", "--to", folder.to_str().expect("a path")]).expect(0);
    assert!(folder.join("appliance-install.1").exists());
}

#[test]
fn a_setting_is_changed_in_its_file_and_nowhere_else() {
    let shell = Shell::new();
    let template = shell.run(&["config", "show", "--template"]).expect(0).out;
    let file = shell.file("portal.toml", &template);
    let set = |key: &str, value: &str| shell.run(&["--config", &file, "config", "set", key, value]);
    set("log.level", "warn").expect(0);
    set("trusted_proxies", "10.0.0.7,10.0.0.8").expect(0);
    let expected = template
        .replace("#level = \"info\"", "level = \"warn\"")
        .replace("#trusted_proxies = []", "trusted_proxies = [\"10.0.0.7\", \"10.0.0.8\"]");
    assert_eq!(fs::read_to_string(&file).expect("the file"), expected);

    let refused = set("worker.jobs", "many").expect(2);
    assert!(refused.err.contains("portal.toml, line"), "{refused:?}");
    assert!(set("log.levle", "warn").expect(2).err.contains("Did you mean “log.level”?"));
    assert_eq!(fs::read_to_string(&file).expect("the file"), expected, "nothing was written");
    assert!(!shell.folder().join("portal.draft").exists());
}

#[test]
fn without_a_service_the_verbs_say_what_they_can() {
    let shell = Shell::new();
    for verb in ["start", "restart"] {
        let refused = shell.run(&[verb]).expect(10);
        assert!(refused.err.contains("appliance serve"), "{refused:?}");
    }
    shell.run(&["stop"]).expect(10);
    let mut server = shell.serve(&[]);
    let stopped = shell.run(&["stop", "--json"]).expect(0).json();
    assert_eq!(stopped["running"], false);
    assert_eq!(server.wait(), Some(0), "it was asked, not killed");
    shell.run(&["install", "--domain", "docs.example.com", "--dry-run", "--any"]).expect(2);
}

#[test]
fn a_running_portal_is_visited_by_check() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let checked = shell.run(&["check", "--json"]).expect(0).json();
    let probes = checked["probes"].as_array().expect("a list");
    for about in ["web server", "records", "file storage", "search"] {
        let probe = probes.iter().find(|probe| probe["about"] == about).expect(about);
        assert_eq!(probe["level"], "fine", "{checked}");
    }
    assert_eq!(checked["files"], 0, "it took away what it wrote");
    server.stop();
    let alone = shell.run(&["check", "--json"]).expect(0).json();
    assert_eq!(alone["probes"], json!([]), "nobody is there to be visited");
}

#[test]
fn a_release_is_signed_and_its_signature_checked() {
    let shell = Shell::new();
    let (key, folder) = (shell.folder().join("key"), shell.folder().join("release"));
    let (key, folder) = (key.to_str().expect("a path"), folder.to_str().expect("a path"));
    fs::create_dir(folder).expect("a folder");
    shell.file("release/program", "a program");
    let sums = format!("{}  program\n", appliance::hash::Digest::of(b"a program"));
    shell.file("release/SHA256SUMS", &sums);
    let public = shell.run(&["release", "keygen", key]).expect(0).out;
    shell.run(&["release", "keygen", key]).expect(2);
    shell.run(&["release", "sign", folder, "--key", key]).expect(0);
    let verify = ["release", "verify", folder, "--public-key", public.trim()];
    assert!(shell.run(&verify).expect(0).out.contains("program"));
    shell.file("release/program", "another");
    assert!(shell.run(&verify).expect(1).err.contains("not what its checksum says"));
}
