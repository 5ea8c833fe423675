//! Sockets that are there before the process: systemd holds them, so that connections wait in them
//! while one process ends and the next begins (systemd.socket(5), sd_listen_fds(3)).

use std::{env, net::TcpListener};

use anyhow::{Context, Result};
use listenfd::ListenFd;

/// A socket that was handed over.
#[derive(Debug)]
pub struct Inherited {
    pub listener: TcpListener,
    /// Its `FileDescriptorName=`; the unit's name when nobody chose one.
    pub name: String,
}

/// The sockets that were handed over to this process; none when it was started by hand. Each is
/// handed over once.
pub fn inherited() -> Result<Vec<Inherited>> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let mut sockets = ListenFd::from_env();
    let mut all = Vec::new();
    for number in 0..sockets.len() {
        let name = names.next().unwrap_or_default();
        let listener = sockets
            .take_tcp_listener(number)
            .with_context(|| format!("taking over the socket {number} ({name})"))?;
        all.extend(listener.map(|listener| Inherited { listener, name }));
    }
    Ok(all)
}
