//! A system that allows few open files: people are refused in words, and nothing spins or ends.

use std::{
    io::Read,
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{Shell, program::Server};

const OPEN_FILES: u64 = 160;

/// The processor time of a process, in ticks of the kernel (proc(5): utime and stime).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields = stat.rsplit(')').next().expect("fields behind the name");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_descriptors_visitors_are_refused_in_words_and_it_goes_on() {
    let shell = Shell::new();
    let serve = shell.command(&["serve"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {OPEN_FILES} && exec \"$0\" serve")]);
    command.arg(serve.get_program()).current_dir(shell.folder()).stdin(Stdio::null());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let server = Server::start({
        command.stdout(Stdio::piped());
        command
    });
    let address = format!("127.0.0.1:{}", server.port());
    let connections: Vec<_> =
        (0..2 * OPEN_FILES).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    assert!(connections.len() as u64 > OPEN_FILES, "the kernel takes them all");

    // Those beyond what fits are answered at once, and not by silence.
    let mut last = connections.last().expect("a connection");
    last.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut answer = String::new();
    let _end = last.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
    let before = ticks(server.pid());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = ticks(server.pid()) - before;
    assert!(spent < 50, "{spent} ticks in a second: it spins");

    drop(connections);
    let url = format!("{}/readyz", server.url);
    crate::support::until(async || {
        reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    server.stop();
}
