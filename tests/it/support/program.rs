//! The real program, as a person at a shell runs it: with a data folder of its own.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Long, since the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A data folder, and how the program is called on it.
pub struct Shell {
    folder: tempfile::TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault} in {self:?}"))
    }

    /// The run itself, when it ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl Shell {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        fs::write(folder.path().join("empty.toml"), "").expect("a configuration file");
        Shell { folder }
    }

    /// With this in its configuration file from the next start on.
    pub fn configure(&self, toml: &str) {
        fs::write(self.folder.path().join("empty.toml"), toml).expect("a configuration file");
    }

    /// Not there before the first start.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file beside the data folder.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("writing a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_appliance"));
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"APPLIANCE_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .env_remove("NO_COLOR")
            .env("APPLIANCE_CONFIG", self.folder.path().join("empty.toml"))
            .env("APPLIANCE_LISTEN", "127.0.0.1:0")
            .env("APPLIANCE_STORAGE_RESERVE_MB", "0")
            .env("APPLIANCE_STORE_CACHE_MB", "16")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        finish(self.command(arguments))
    }

    /// Adds an account, with the password `a tall green kettle`.
    #[track_caller]
    pub fn add_user(&self, name: &str, more: &[&str]) -> Ended {
        let password = self.file("password", super::PASSWORD);
        let email = format!("{name}@example.com");
        let mut arguments =
            vec!["user", "add", name, "--email", &email, "--password-file", &password];
        arguments.extend(more);
        self.run(&arguments).expect(0)
    }

    /// Starts the server and waits until it says where it is.
    pub fn serve(&self, more: &[&str]) -> Server {
        let mut arguments = vec!["serve"];
        arguments.extend(more);
        Server::start(self.command(&arguments))
    }
}

pub fn finish(mut command: Command) -> Ended {
    let output = command.output().expect("running the program");
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A server that runs; killed when it is dropped.
pub struct Server {
    child: Child,
    pub url: String,
    /// Everything it printed at its start.
    pub greeting: String,
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        command.stderr(Stdio::inherit());
        let mut child = command.spawn().expect("starting the program");
        let mut text = vec![0; 64 << 10];
        let out = child.stdout.as_mut().expect("its output");
        // The greeting is written at once, so one look finds all of it.
        let length = out.read(&mut text).expect("reading its greeting");
        let greeting = String::from_utf8_lossy(&text[..length]).into_owned();
        let url = greeting
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("Appliance is running on "))
            .unwrap_or_else(|| panic!("no address in {greeting:?}"))
            .to_owned();
        Server { child, url, greeting }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port at the end of the address.
    pub fn port(&self) -> &str {
        self.url.rsplit(':').next().expect("a port")
    }

    pub fn setup_link(&self) -> Option<&str> {
        self.greeting.lines().find_map(|line| line.strip_prefix("Set it up within 30 minutes: "))
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: sends a signal to our own child, which has not been waited for.
        let sent = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(sent, 0, "sending a signal");
    }

    /// Waits for its end and tells the exit code; `None` when a signal killed it.
    pub fn wait(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("waiting for the program") {
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as a service manager does.
    pub fn stop(mut self) {
        self.signal(libc::SIGTERM);
        assert_eq!(self.wait(), Some(0), "a clean end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}
