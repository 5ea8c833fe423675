//! Connections that the kernel has given to this process and that nobody has begun to serve yet. While
//! a server stops it takes no new ones, but those that it has taken are on their way to a worker, which
//! may be busy; ended before they arrive, they would be closed without an answer.
//!
//! The web server does not tell of them, so the descriptors of this process do (proc(5)).

use std::{fs, io, os::fd::RawFd};

/// The sockets on which a server listens.
#[derive(Clone, Debug)]
pub struct Arrivals {
    listeners: Vec<RawFd>,
    ports: Vec<u16>,
}

impl Arrivals {
    pub fn new(listeners: Vec<RawFd>, ports: Vec<u16>) -> Self {
        Arrivals { listeners, ports }
    }

    /// Whether somebody waits for connections on these sockets, and so may take one at any moment.
    pub fn go_on(&self) -> io::Result<bool> {
        for fd in descriptors()? {
            let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
            if target.as_os_str() != "anon_inode:[eventpoll]" {
                continue;
            }
            let watched = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
            let mut numbers = watched.lines().filter_map(|line| {
                line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok()
            });
            if numbers.any(|number: RawFd| self.listeners.contains(&number)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many connections there are that came in by these sockets, served or not.
    pub fn open(&self) -> io::Result<usize> {
        let here = descriptors()?;
        Ok(here.into_iter().filter(|fd| self.ports.contains(&own_port(*fd).unwrap_or(0))).count())
    }
}

fn descriptors() -> io::Result<Vec<RawFd>> {
    let entries = fs::read_dir("/proc/self/fd")?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// The own port of a connection; `None` for a socket that listens, and for everything else.
fn own_port(fd: RawFd) -> Option<u16> {
    // SAFETY: an address is plain bytes; for a descriptor that is gone or no socket the calls fail.
    unsafe {
        let mut other: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        if libc::getpeername(fd, (&raw mut other).cast(), &mut length) != 0 {
            return None;
        }
        let mut own: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        if libc::getsockname(fd, (&raw mut own).cast(), &mut length) != 0 {
            return None;
        }
        match i32::from(own.ss_family) {
            libc::AF_INET => Some((*(&raw const own).cast::<libc::sockaddr_in>()).sin_port),
            libc::AF_INET6 => Some((*(&raw const own).cast::<libc::sockaddr_in6>()).sin6_port),
            _ => None,
        }
        .map(u16::from_be)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
    };

    use super::*;

    #[test]
    fn what_was_taken_from_a_socket_is_counted_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let arrivals = Arrivals::new(vec![listener.as_raw_fd()], vec![address.port()]);
        assert_eq!(arrivals.open().unwrap(), 0);
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(arrivals.open().unwrap(), 0, "it waits in the socket");
        let (taken, _) = listener.accept().unwrap();
        assert_eq!(arrivals.open().unwrap(), 1);
        drop((taken, client));
        assert_eq!(arrivals.open().unwrap(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_connections_is_found() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrivals = Arrivals::new(vec![listener.as_raw_fd()], vec![port]);
        assert!(arrivals.go_on().unwrap());
        let listener = listener.into_std().unwrap();
        assert!(!arrivals.go_on().unwrap());
        drop(listener);
    }
}
