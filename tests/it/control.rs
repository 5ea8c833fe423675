//! The control socket: who may use it, and that nobody who uses it badly harms the others.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{PASSWORD, Shell, program::PATIENCE};

fn connect(shell: &Shell) -> UnixStream {
    let stream = UnixStream::connect(shell.data().join("control.sock")).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream
}

/// The last line of an answer, which is the reply.
fn ask(shell: &Shell, request: &[u8]) -> Value {
    let mut stream = connect(shell);
    stream.write_all(request).expect("asking");
    let lines = BufReader::new(stream).lines();
    let last = lines.map(|line| line.expect("a line")).last().expect("an answer");
    serde_json::from_str(&last).expect("JSON")
}

fn new_user(name: &str) -> Vec<u8> {
    let request = json!({ "user_add": {
        "username": name, "email": format!("{name}@example.com"), "full_name": "",
        "password": PASSWORD, "is_administrator": true, "role": "viewer", "organization": null,
    }});
    format!("{request}\n").into_bytes()
}

#[test]
fn the_socket_is_closed_to_others() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let mode = |path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(shell.data()), 0o700);
    assert_eq!(mode(shell.data().join("control.sock")), 0o600);
    server.stop();
}

#[test]
fn an_answer_says_how_far_it_is_and_ends_with_the_reply() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let mut stream = connect(&shell);
    stream.write_all(b"\"user_list\"\n").expect("asking");
    let lines: Vec<Value> = BufReader::new(stream)
        .lines()
        .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
        .collect();
    assert_eq!(lines.last(), Some(&json!({ "done": { "users": [] } })));
    assert!(lines[..lines.len() - 1].iter().all(|line| line["step"].is_object()), "{lines:?}");
    server.stop();
}

#[test]
fn what_is_no_request_is_refused_and_nothing_more() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let refusal = ask(&shell, b"\"dance\"\n");
    assert_eq!(refusal["failed"]["kind"], "invalid");
    assert!(refusal["failed"]["message"].as_str().is_some_and(|text| text.contains("Restart")));
    assert_eq!(ask(&shell, b"{\xff\n")["failed"]["kind"], "invalid");
    let long = [&vec![b'x'; 100_000][..], b"\n"].concat();
    let mut stream = connect(&shell);
    // It may close before it has taken everything.
    let _cut_off = stream.write_all(&long);
    let mut answer = String::new();
    let _reset = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.contains("too_large"), "{answer}");
    shell.run(&["status"]).expect(0);
    server.stop();
}

#[test]
fn whoever_says_nothing_blocks_nobody() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let silent: Vec<UnixStream> = (0..8).map(|_| connect(&shell)).collect();
    let mut half = connect(&shell);
    half.write_all(b"\"user_").expect("half a request");
    let begin = Instant::now();
    shell.run(&["status"]).expect(0);
    assert!(begin.elapsed() < Duration::from_secs(8), "waited for the silent ones");
    drop(silent);
    server.stop();
}

#[test]
fn so_many_silent_ones_that_no_place_is_left_are_cut_off() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let silent: Vec<UnixStream> = (0..16).map(|_| connect(&shell)).collect();
    // The first try may find no place in its time; the places come back by themselves.
    let begin = Instant::now();
    while shell.run(&["status"]).code != 0 {
        assert!(begin.elapsed() < PATIENCE, "the silent ones keep their places");
    }
    drop(silent);
    server.stop();
}

#[test]
fn what_was_begun_is_finished_when_the_one_who_asked_has_gone() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let mut stream = connect(&shell);
    stream.write_all(&new_user("ada")).expect("asking");
    drop(stream);
    let begin = Instant::now();
    loop {
        let users = shell.run(&["user", "list", "--json"]).expect(0).json();
        if users["users"][0]["username"] == "ada" {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "the account was not added");
    }
    server.stop();
}

#[test]
fn a_stop_finishes_what_was_begun() {
    let shell = Shell::new();
    let server = shell.serve(&[]);
    let mut stream = connect(&shell);
    stream.write_all(&new_user("ada")).expect("asking");
    let mut first = String::new();
    // Its first word: the request has been taken.
    BufReader::new(stream.try_clone().expect("a handle")).read_line(&mut first).expect("a line");
    server.stop();
    let users = shell.run(&["user", "list", "--json"]).expect(0).json();
    assert_eq!(users["users"][0]["username"], "ada");
}

#[test]
fn a_long_path_is_no_obstacle() {
    let shell = Shell::new();
    let folder = shell.folder().join("a-folder-with-a-rather-long-name".repeat(6));
    fs::create_dir(&folder).expect("a folder");
    let data = folder.join("data");
    let data = data.to_str().expect("a path");
    assert!(data.len() > 107);
    let server = shell.serve(&["--data", data]);
    let status = shell.run(&["--data", data, "status", "--json"]).expect(0).json();
    assert_eq!(status["url"], server.url.as_str());
    server.stop();
    assert!(!folder.join("data/control.sock").exists());
    shell.run(&["--data", data, "user", "list"]).expect(0);
}
