//! Under a service manager: sockets that outlive the process, and what it is told.

use std::{
    net::TcpListener,
    os::{
        fd::{AsRawFd, RawFd},
        unix::{net::UnixDatagram, process::CommandExt},
    },
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use reqwest::Client;

use crate::support::{
    Shell,
    program::{PATIENCE, Server},
    until,
};

/// Where a service manager puts the first socket that it hands over (sd_listen_fds(3)).
const FIRST: RawFd = 3;

/// The server, with sockets handed over as systemd does: the process that runs is the one that
/// `LISTEN_PID` names.
fn with_sockets(shell: &Shell, sockets: &[&TcpListener]) -> Command {
    let inner = shell.command(&["serve"]);
    let mut command = Command::new("sh");
    command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(shell.folder());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("LISTEN_FDS", sockets.len().to_string()).env("LISTEN_FDNAMES", "appliance.socket");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let handed: Vec<RawFd> = sockets.iter().map(|socket| socket.as_raw_fd()).collect();
    // SAFETY: only calls that are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            for (place, &socket) in (FIRST..).zip(&handed) {
                // The copy does not close at exec; far from the places that are being filled.
                let copy = libc::fcntl(socket, libc::F_DUPFD, 100);
                if copy < 0 || libc::dup2(copy, place) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                libc::close(copy);
            }
            Ok(())
        });
    }
    command
}

fn port(socket: &TcpListener) -> u16 {
    socket.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_request() {
    let shell = Shell::new();
    let http = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let https = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let start = || {
        let mut command = with_sockets(&shell, &[&http, &https]);
        command.env("APPLIANCE_LISTEN_HTTPS", format!("127.0.0.1:{}", port(&https)));
        Server::start(command)
    };
    let mut server = start();
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let urls = [
        format!("http://127.0.0.1:{}/sign-in", port(&http)),
        format!("https://127.0.0.1:{}/sign-in", port(&https)),
    ];
    let mut clients = Vec::new();
    for number in 0..8 {
        let (stop, served, url) = (stop.clone(), served.clone(), urls[number % 2].clone());
        // Half of them keep their connection, half make one for each request.
        let kept = if number < 4 { 1 } else { 0 };
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .pool_max_idle_per_host(kept)
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        clients.push(tokio::spawn(async move {
            let mut failed = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                match client.get(&url).send().await {
                    Ok(answer) if answer.status() == 200 => {
                        let whole = answer.bytes().await.is_ok();
                        if !whole {
                            failed.push("cut off".to_owned());
                        }
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(answer) => failed.push(format!("{}", answer.status())),
                    Err(fault) => failed.push(format!("{fault:?}")),
                }
            }
            failed
        }));
    }
    for _ in 0..3 {
        let before = served.load(Ordering::SeqCst);
        until(async || served.load(Ordering::SeqCst) > before + 50).await;
        server.signal(libc::SIGTERM);
        assert_eq!(tokio::task::block_in_place(|| server.wait()), Some(0));
        server = tokio::task::block_in_place(start);
    }
    let before = served.load(Ordering::SeqCst);
    until(async || served.load(Ordering::SeqCst) > before + 50).await;
    stop.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for client in clients {
        failed.extend(client.await.expect("a client"));
    }
    let all = served.load(Ordering::SeqCst);
    assert!(failed.is_empty(), "{} of {all} failed: {failed:#?}", failed.len());
    tokio::task::block_in_place(|| server.stop());
}

#[test]
fn the_service_manager_hears_when_the_portal_answers_lives_and_stops() {
    let shell = Shell::new();
    let path = shell.folder().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut command = shell.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
    let server = Server::start(command);
    let hear = |wanted: &str| {
        let mut heard = Vec::new();
        for _ in 0..200 {
            let mut bytes = [0; 4096];
            let length = manager.recv(&mut bytes).expect("a word");
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.contains(wanted) {
                return text;
            }
            heard.push(text);
        }
        panic!("{wanted} is not among {heard:#?}");
    };
    let ready = hear("READY=1");
    assert!(ready.contains(&format!("STATUS=running on {}", server.url)), "{ready}");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    server.signal(libc::SIGTERM);
    hear("STOPPING=1");
}

#[test]
fn the_domain_is_set_at_the_shell_while_the_portal_runs() {
    let shell = Shell::new();
    let mut command = shell.command(&["serve", "--listen-https", "127.0.0.1:0"]);
    command.env("APPLIANCE_HTTPS_ACME", "off");
    let server = Server::start(command);
    let set =
        shell.run(&["config", "set", "domain", "docs.example.com", "www.example.com"]).expect(0);
    assert!(set.out.contains("docs.example.com, www.example.com (set here)"), "{set:?}");
    let wrong = shell.run(&["config", "set", "domain", "https://docs.example.com"]);
    assert!(wrong.code != 0 && wrong.err.contains("is not a domain"), "{wrong:?}");
    let unset = shell.run(&["config", "unset", "domain"]).expect(0);
    assert!(unset.out.contains("has no domain"), "{unset:?}");
    // What is set while nothing runs counts at the next start.
    server.stop();
    shell.run(&["config", "set", "email", "ops@example.com"]).expect(0);
    let set = shell.run(&["config", "set", "domain", "docs.example.com", "--no-wait"]).expect(0);
    assert!(set.out.contains("ops@example.com"), "{set:?}");
}
