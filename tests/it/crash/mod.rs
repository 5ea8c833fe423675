//! `kill -9` under load. Clients write to the real program, it is killed at a random moment and
//! started again on the same folder: what was acknowledged must be there; what was not may be there
//! or not, but whole.
//!
//! `CRASH_KILLS=50 CRASH_SEED=7 cargo test crash` runs longer, or repeats a run: the same acts, as
//! far as time allows.

mod client;
mod portal;

use std::time::{Duration, Instant};

use self::{client::Client, portal::Portal};
use crate::support::{Api, PASSWORD, Shell, program::Server, s3::S3Server};

/// In a run of the whole suite.
const KILLS: u64 = 40;
const KILLS_ON_S3: u64 = 12;
const CLIENTS: u64 = 8;
const LOAD_MS_MAX: u64 = 1_000;
/// Every so many kills, another one hits the start that follows.
const KILLS_PER_KILLED_START: u64 = 4;
const KILLED_START_MS_MAX: u64 = 80;
/// Every so many kills, a clean stop and a start, to compare the others with.
const KILLS_PER_CLEAN_START: u64 = 3;
/// How much longer a start after a kill may take than one after a clean stop.
const START_RATIO_MAX: f64 = 3.0;

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let (after_kills, after_stops) = survive(&Shell::new(), KILLS).await;
    compare_starts(after_kills, after_stops);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_with_its_files_on_s3() {
    let s3 = S3Server::start();
    let shell = Shell::new();
    shell.configure(&s3.configuration(None));
    survive(&shell, KILLS_ON_S3).await;
    assert_eq!(s3.parts(), 0, "parts of abandoned uploads");
}

/// How long each start took after a kill, and after a clean stop.
async fn survive(shell: &Shell, kills: u64) -> (Vec<Duration>, Vec<Duration>) {
    let kills = from_environment("CRASH_KILLS").unwrap_or(kills);
    let seed = from_environment("CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("CRASH_KILLS={kills} CRASH_SEED={seed}");
    let mut random = Random(seed);
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|number| Client::new(number, Random(random.next()))).collect();

    shell.add_user("ada", &["--admin"]);
    let mut server = shell.serve(&[]);
    let token = sign_in(&server).await;
    let (mut after_kills, mut after_stops) = (Vec::new(), Vec::new());
    for kill in 1..=kills {
        let load = Duration::from_millis(random.below(LOAD_MS_MAX));
        clients = load_and_kill(&mut server, &token, clients, load).await;
        if kill % KILLS_PER_KILLED_START == 0 {
            kill_start(shell, Duration::from_millis(random.below(KILLED_START_MS_MAX)));
        }
        let took;
        (server, took) = start(shell).await;
        after_kills.push(took);

        let portal = Portal { shell, api: Api::at(&server.url, &token) };
        portal.finish_jobs().await;
        portal.check();
        let mut found = portal.documents().await;
        for client in &mut clients {
            client.compare(&mut found);
        }
        assert!(found.is_empty(), "nobody has written {found:#?}");

        if kill % KILLS_PER_CLEAN_START == 0 {
            drop(portal);
            server.stop();
            let took;
            (server, took) = start(shell).await;
            after_stops.push(took);
        }
    }
    let acknowledged: u64 = clients.iter().map(|client| client.acknowledged).sum();
    assert!(acknowledged > kills, "the clients did next to nothing");
    println!("{kills} kills, {acknowledged} acknowledged writes");
    (after_kills, after_stops)
}

/// Lets the clients write for a while, and kills the program under them.
async fn load_and_kill(
    server: &mut Server,
    token: &str,
    clients: Vec<Client>,
    load: Duration,
) -> Vec<Client> {
    let writing: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(client.write_until_cut_off(Api::at(&server.url, token))))
        .collect();
    tokio::time::sleep(load).await;
    server.signal(libc::SIGKILL);
    assert_eq!(server.wait(), None, "it was killed");
    let mut clients = Vec::new();
    for client in writing {
        clients.push(client.await.expect("a client does not panic"));
    }
    clients
}

fn kill_start(shell: &Shell, after: Duration) {
    let mut child = shell.command(&["serve"]).spawn().expect("starting the program");
    std::thread::sleep(after);
    child.kill().expect("killing the program");
    child.wait().expect("waiting for the program");
}

/// Starts the program; with the time until it first answers.
async fn start(shell: &Shell) -> (Server, Duration) {
    let begin = Instant::now();
    let server = shell.serve(&[]);
    let ready = reqwest::get(format!("{}/readyz", server.url)).await.expect("an answer");
    assert_eq!(ready.status(), 200);
    (server, begin.elapsed())
}

async fn sign_in(server: &Server) -> String {
    let credentials = serde_json::json!({ "username": "ada", "password": PASSWORD });
    let answer = Api::at(&server.url, "").post("/api/login", credentials).await;
    answer["access_token"].as_str().expect("a token").to_owned()
}

fn compare_starts(after_kills: Vec<Duration>, after_stops: Vec<Duration>) {
    let (killed, stopped) = (median(after_kills), median(after_stops));
    println!("a start takes {killed:?} after a kill, {stopped:?} after a clean stop (medians)");
    let ratio = killed.as_secs_f64() / stopped.as_secs_f64();
    assert!(ratio < START_RATIO_MAX, "a start after a kill takes {ratio:.1} times as long");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

/// SplitMix64 (Steele, Lea, Flood 2014): a fixed sequence for a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}
