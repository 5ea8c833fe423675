//! A service manager, as far as a service sees it (sd_notify(3)).

use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

use super::program::{PATIENCE, Shell};

/// What a service manager is told.
pub struct Manager(UnixDatagram);

impl Manager {
    /// Watches what this command starts, and expects signs of life no further apart than this.
    pub fn of(shell: &Shell, command: &mut Command, patience: Duration) -> Self {
        let path = shell.folder().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", patience.as_micros().to_string());
        Manager(socket)
    }

    /// The next word that contains this.
    pub fn hear(&self, wanted: &str) -> String {
        let mut heard = Vec::new();
        for _ in 0..200 {
            let text = self.next();
            if text.contains(wanted) {
                return text;
            }
            heard.push(text);
        }
        panic!("{wanted} is not among {heard:#?}");
    }

    pub fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).expect("a word");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Forgets what was said up to now.
    pub fn skip_the_past(&self) {
        self.0.set_nonblocking(true).expect("a mode");
        while self.0.recv(&mut [0; 4096]).is_ok() {}
        self.0.set_nonblocking(false).expect("a mode");
    }
}
