//! A bare machine with a real systemd, made and booted by `tests/host/host.sh`.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Api, PASSWORD,
    program::{Ended, finish_within},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// A busy machine starts services slowly.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A single command; the longest is an update to a version that never answers.
const COMMAND_PATIENCE: Duration = Duration::from_secs(200);
/// All that is done to one machine. One test that hangs would hang all those behind it.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// To make a machine, to boot it, to end it.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(120);

/// One machine; gone when it is dropped.
pub struct Host {
    name: String,
    address: String,
    booted_at: Instant,
}

impl Host {
    /// Makes a machine and boots it. The program lies in `/root/appliance`, as if it had just been
    /// copied there. One left over of this name is replaced.
    pub fn boot(name: &str) -> Self {
        // Several copies of this project may be tested at the same time.
        let mut copy = DefaultHasher::new();
        ROOT.hash(&mut copy);
        let name = format!("{name}-{:04x}", copy.finish() as u16);
        done(&["up", &name]);
        let address = done(&["address", &name]).out.trim().to_owned();
        let host = Host { name, address, booted_at: Instant::now() };
        fs::copy(env!("CARGO_BIN_EXE_appliance"), host.path("/root/appliance"))
            .expect("bringing the program there");
        host
    }

    /// Where a path of the machine is on this one.
    pub fn path(&self, path: &str) -> PathBuf {
        let folder = std::env::var_os("HOST_FOLDER")
            .map_or_else(|| Path::new(ROOT).join("target/host"), PathBuf::from);
        folder.join("machines").join(&self.name).join("root").join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, content: &str) {
        fs::write(self.path(path), content).expect("writing a file of the machine");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("a file of the machine")
    }

    pub fn has(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Runs a command of the machine, as root.
    #[track_caller]
    pub fn run(&self, command: &[&str]) -> Ended {
        self.run_within(COMMAND_PATIENCE, command).unwrap_or_else(|why| panic!("{why}"))
    }

    /// # Errors
    /// With the end of the machine's journal, when it takes too long, or the machine lives too long.
    pub fn run_within(&self, limit: Duration, command: &[&str]) -> Result<Ended, String> {
        let left = LIFE.saturating_sub(self.booted_at.elapsed());
        let exec = script(&[&["exec", &self.name], command].concat());
        finish_within(exec, limit.min(left)).map_err(|so_far| {
            let log = self.log();
            format!("{command:?} on {} does not end: {so_far:#?}\n{log}", self.name)
        })
    }

    /// Runs the installed program.
    pub fn appliance(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["appliance"], arguments].concat())
    }

    /// Runs the program that was copied there.
    pub fn copied(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["/root/appliance"], arguments].concat())
    }

    /// Installs the portal with `ada` as its administrator, and signs in.
    pub async fn install(&self, more: &[&str]) -> Api {
        self.write("/root/password", PASSWORD);
        let known = ["install", "--admin-name", "ada", "--email", "ada@example.com"];
        let password = ["--admin-password-file", "/root/password"];
        self.copied(&[&known[..], &password, more].concat()).expect(0);
        self.sign_in().await
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn sign_in(&self) -> Api {
        let login = serde_json::json!({ "username": "ada", "password": PASSWORD });
        let answer = Api::at(&self.url(), "").post("/api/login", login).await;
        Api::at(&self.url(), answer["access_token"].as_str().expect("a token"))
    }

    /// The main process of the service, as the machine counts.
    pub fn pid(&self) -> String {
        self.run(&["systemctl", "show", "-P", "MainPID", "appliance.service"]).expect(0).out
    }

    /// Ends the machine at once; its disk stays. Then boots it again.
    pub fn cut_power(&self) {
        done(&["powercut", &self.name]);
        done(&["boot", &self.name]);
    }

    pub fn reboot(&self) {
        let boot_id = || self.run(&["cat", "/proc/1/stat"]).out;
        let before = boot_id();
        // The connection to systemd may be gone before its answer is there.
        let _asked = self.run_within(PATIENCE, &["systemctl", "reboot"]);
        self.wait("the machine to boot again", || {
            let state = self.run(&["systemctl", "is-system-running"]).out;
            matches!(state.trim(), "running" | "degraded") && boot_id() != before
        });
    }

    /// Waits until the portal answers over HTTP.
    pub async fn wait_until_ready(&self) {
        let begin = Instant::now();
        let client = client();
        loop {
            let answer = client.get(format!("{}/readyz", self.url())).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "the portal does not come back: {}", self.log());
            tokio::time::sleep(PAUSE).await;
        }
    }

    #[track_caller]
    pub fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < PATIENCE, "waiting for {what} took too long: {}", self.log());
            thread::sleep(PAUSE);
        }
    }

    /// The end of its journal, from outside: it may hang, or be off.
    pub fn log(&self) -> String {
        let (Ok(ended) | Err(ended)) = finish_within(script(&["journal", &self.name]), PATIENCE);
        format!("The end of its journal:\n{}", ended.out)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let ended = finish_within(script(&["down", &self.name]), SCRIPT_PATIENCE);
        let is_down = ended.as_ref().is_ok_and(|ended| ended.code == 0);
        assert!(is_down || thread::panicking(), "{ended:?}");
    }
}

/// A client that gives up on an answer that does not come.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

/// What has to succeed, in its time.
#[track_caller]
fn done(arguments: &[&str]) -> Ended {
    finish_within(script(arguments), SCRIPT_PATIENCE)
        .unwrap_or_else(|so_far| panic!("host.sh {arguments:?} does not end: {so_far:#?}"))
        .expect(0)
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(ROOT).join("tests/host/host.sh"));
    command.args(arguments).stdin(Stdio::null());
    command
}
