//! A bare machine with a real systemd, made and booted by `tests/host/host.sh`.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Api, PASSWORD, program::Ended};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// A busy machine starts services slowly.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// One machine; gone when it is dropped.
pub struct Host {
    name: String,
    address: String,
}

impl Host {
    /// Makes a machine and boots it. The program lies in `/root/appliance`, as if it had just been
    /// copied there. One left over of this name is replaced.
    pub fn boot(name: &str) -> Self {
        // Several copies of this project may be tested at the same time.
        let mut copy = DefaultHasher::new();
        ROOT.hash(&mut copy);
        let name = format!("{name}-{:04x}", copy.finish() as u16);
        script(&["up", &name]).expect(0);
        let address = script(&["address", &name]).expect(0).out.trim().to_owned();
        let host = Host { name, address };
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
    pub fn run(&self, command: &[&str]) -> Ended {
        script(&[&["exec", &self.name], command].concat())
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
        script(&["powercut", &self.name]).expect(0);
        script(&["boot", &self.name]).expect(0);
    }

    pub fn reboot(&self) {
        let boot_id = || self.run(&["cat", "/proc/1/stat"]).out;
        let before = boot_id();
        self.run(&["systemctl", "reboot"]);
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

    pub fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < PATIENCE, "waiting for {what} took too long: {}", self.log());
            thread::sleep(PAUSE);
        }
    }

    fn log(&self) -> String {
        self.run(&["journalctl", "-b", "-n", "40", "--no-pager"]).out
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let ended = script(&["down", &self.name]);
        assert!(ended.code == 0 || thread::panicking(), "{ended:?}");
    }
}

/// A client that gives up on an answer that does not come.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

fn script(arguments: &[&str]) -> Ended {
    let mut command = Command::new(Path::new(ROOT).join("tests/host/host.sh"));
    command.args(arguments).stdin(Stdio::null());
    super::finish(command)
}
