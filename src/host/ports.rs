//! Who listens on a port of this machine.

use std::{
    fs::File,
    io::{BufRead, BufReader},
};

use super::processes::{self, Process};

/// The state "listening" in the tables of the kernel (`TCP_LISTEN` in its `tcp_states.h`).
const LISTENING: &str = "0A";
/// A machine with more sockets is looked at in part.
const LINES_MAX: usize = 200_000;

/// The process that listens on a TCP port; `None` when nobody does, or when it belongs to another
/// user and we may not look.
pub fn listener(port: u16) -> Option<Process> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let sockets: Vec<String> =
        tables.into_iter().flat_map(|table| listening_sockets(table, port)).collect();
    if sockets.is_empty() { None } else { processes::with_socket(&sockets) }
}

/// The inodes of the sockets that listen on a port, from a table as proc(5) describes it.
fn listening_sockets(table: &str, port: u16) -> Vec<String> {
    let Ok(file) = File::open(table) else { return Vec::new() };
    let port = format!(":{port:04X}");
    let lines = BufReader::new(file).lines().skip(1).take(LINES_MAX);
    lines
        .map_while(Result::ok)
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next()?;
            let state = fields.nth(1)?;
            let inode = fields.nth(5)?;
            (local.ends_with(&port) && state == LISTENING).then(|| inode.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_process_behind_a_port_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(port).map(|process| process.pid), Some(std::process::id()));
        drop(socket);
        assert_eq!(listener(port), None);
    }
}
