//! The real program, as a person at a shell runs it: with a data folder of its own.

use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
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
            .stdin(Stdio::null())
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

/// Long enough for everything that a test waits for.
const FINISH_PATIENCE: Duration = Duration::from_secs(300);
/// What was written before the end is there by then.
const REST_PATIENCE: Duration = Duration::from_secs(2);

pub fn finish(command: Command) -> Ended {
    let called = format!("{command:?}");
    finish_within(command, FINISH_PATIENCE)
        .unwrap_or_else(|so_far| panic!("{called} does not end: {so_far:#?}"))
}

/// Runs a command to its end, with all that it starts.
///
/// # Errors
/// With what it said so far, when it took too long; it is killed then. A process that it left behind,
/// and that holds its outputs, is not waited for.
pub fn finish_within(mut command: Command, limit: Duration) -> Result<Ended, Ended> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let begin = Instant::now();
    let mut child = command.spawn().expect("starting a program");
    let out = Heard::of(child.stdout.take().expect("its output"));
    let err = Heard::of(child.stderr.take().expect("its output"));
    let status = loop {
        if let Some(status) = child.try_wait().expect("waiting for a program") {
            break Some(status);
        }
        if begin.elapsed() > limit {
            // SAFETY: sends a signal to a group of our own, whose leader was not waited for.
            unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
            child.wait().expect("waiting for a program");
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let code = status.and_then(|status| status.code()).unwrap_or(-1);
    let ended = Ended { code, out: out.text(), err: err.text() };
    if status.is_some() { Ok(ended) } else { Err(ended) }
}

/// An output, while it is written.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Heard {
    fn of(mut output: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let heard = bytes.clone();
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 8 << 10];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                heard.lock().expect("the text").extend_from_slice(&piece[..length]);
            }
        });
        Heard { bytes, reader }
    }

    fn text(self) -> String {
        let begin = Instant::now();
        while !self.reader.is_finished() && begin.elapsed() < REST_PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        let bytes = self.bytes.lock().expect("the text");
        String::from_utf8(bytes.clone()).expect("text")
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
        let mut out = child.stdout.take().expect("its output");
        let (said, hears) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = vec![0; 64 << 10];
            // The greeting is written at once, so one look finds all of it.
            let length = out.read(&mut text).unwrap_or(0);
            // Whoever has started it may have given up.
            let _heard = said.send((String::from_utf8_lossy(&text[..length]).into_owned(), out));
        });
        let Ok((greeting, out)) = hears.recv_timeout(PATIENCE) else {
            let _killed = child.kill();
            panic!("the program does not say where it is");
        };
        child.stdout = Some(out);
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
