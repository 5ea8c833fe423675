//! Under a service manager: sockets that outlive the process, and what it is told.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, RawFd},
        unix::process::CommandExt,
    },
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Client;

use crate::support::{
    Shell,
    manager::Manager,
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

/// What a client noticed.
#[derive(Default)]
struct Noticed {
    lost: Vec<String>,
    /// Requests that crossed with the closing of a connection on which nothing had been said for long:
    /// those a client makes again (RFC 9112, 9.3.1).
    crossed: usize,
}

/// As long as the server listens on a connection while it stops, with some room for a busy machine.
const QUIET: Duration = Duration::from_millis(400);

/// Keeps its connection as long as the server does, and says each request right after the last answer.
fn keep_asking(address: SocketAddr, stop: &AtomicBool, served: &AtomicU64) -> Noticed {
    let mut noticed = Noticed::default();
    let mut kept: Option<(TcpStream, Instant)> = None;
    while !stop.load(Ordering::SeqCst) {
        // One that was closed in silence is of no use any more; that is being told.
        let (mut stream, answered_at) = match kept.take().filter(|(stream, _)| is_open(stream)) {
            Some((stream, at)) => (stream, Some(at)),
            None => (TcpStream::connect(address).expect("a connection"), None),
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let silence = answered_at.map(|at| at.elapsed());
        match exchange(&mut stream) {
            Ok(is_last) => {
                served.fetch_add(1, Ordering::SeqCst);
                kept = (!is_last).then(|| (stream, Instant::now()));
            }
            Err((0, _)) if silence.is_some_and(|silence| silence > QUIET) => noticed.crossed += 1,
            Err((read, fault)) => {
                noticed.lost.push(format!("{read} bytes of an answer after {silence:?}: {fault}"));
            }
        }
    }
    noticed
}

fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a mode");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a mode");
    peeked.is_err_and(|fault| fault.kind() == io::ErrorKind::WouldBlock)
}

/// One request and its whole answer: whether it is the last one on this connection. A failure says how
/// many bytes of an answer had come.
fn exchange(stream: &mut TcpStream) -> Result<bool, (usize, String)> {
    let request = b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).map_err(|fault| (0, format!("writing: {fault}")))?;
    let mut answer = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
            let Some(length) = length else { return Err((answer.len(), head)) };
            if answer.len() >= end + 4 + length {
                let is_good = head.starts_with("http/1.1 200");
                let is_last = head.contains("\r\nconnection: close");
                return if is_good { Ok(is_last) } else { Err((answer.len(), head)) };
            }
        }
        match stream.read(&mut piece) {
            Ok(0) => return Err((answer.len(), "closed".into())),
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(fault) => return Err((answer.len(), format!("reading: {fault}"))),
        }
    }
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
    let address = http.local_addr().expect("an address");
    let mut keepers = Vec::new();
    for _ in 0..2 {
        let (stop, served) = (stop.clone(), served.clone());
        keepers.push(std::thread::spawn(move || keep_asking(address, &stop, &served)));
    }
    let mut clients = Vec::new();
    for number in 0..6 {
        // Two keep one connection of HTTP/2, on which the server has words for its end; the others
        // make one for each request.
        let (url, kept) = if number < 2 { (&urls[1], 1) } else { (&urls[number % 2], 0) };
        let (stop, served, url) = (stop.clone(), served.clone(), url.clone());
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
    let (mut failed, mut crossed) = (Vec::new(), 0);
    for client in clients {
        failed.extend(client.await.expect("a client"));
    }
    for keeper in keepers {
        let noticed = tokio::task::block_in_place(|| keeper.join()).expect("a client");
        failed.extend(noticed.lost);
        crossed += noticed.crossed;
    }
    let all = served.load(Ordering::SeqCst);
    assert!(failed.is_empty(), "{} of {all} failed: {failed:#?}", failed.len());
    // As many as there are connections that can be kept over three restarts, if each of them slept.
    assert!(crossed <= 6, "{crossed} of {all} crossed with the end of their connections");
    tokio::task::block_in_place(|| server.stop());
}

/// Who has just connected has a request to send, however long it takes on a busy machine.
#[test]
fn who_connected_just_before_a_restart_is_answered() {
    let shell = Shell::new();
    let http = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut server = Server::start(with_sockets(&shell, &[&http]));
    let address = http.local_addr().expect("an address");
    // One was answered before, and is silent; the others have said nothing yet.
    let mut silent = TcpStream::connect(address).expect("a connection");
    exchange(&mut silent).expect("an answer");
    let mut fresh: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    // They are taken in their order, so the eight are when one behind them is answered.
    exchange(&mut TcpStream::connect(address).expect("a connection")).expect("an answer");
    server.signal(libc::SIGTERM);
    std::thread::sleep(Duration::from_millis(1_500));
    for stream in &mut fresh {
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        assert!(exchange(stream).expect("an answer"), "and told that it is the last");
    }
    assert!(!is_open(&silent), "the end of an idle connection is told by closing it");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn the_service_manager_hears_when_the_portal_answers_lives_and_stops() {
    let shell = Shell::new();
    let mut command = shell.command(&["serve"]);
    let manager = Manager::of(&shell, &mut command, Duration::from_millis(600));
    let server = Server::start(command);
    let ready = manager.hear("READY=1");
    assert!(ready.contains(&format!("STATUS=running on {}", server.url)), "{ready}");
    manager.hear("WATCHDOG=1");
    manager.hear("WATCHDOG=1");
    server.signal(libc::SIGTERM);
    manager.hear("STOPPING=1");
}

/// Else whoever opens enough connections has the portal killed, again and again.
#[test]
fn a_portal_that_is_full_is_alive() {
    for is_secure in [false, true] {
        let shell = Shell::new();
        shell.configure("[limits]\nconnections = 16\nhead_seconds = 600\nidle_seconds = 600\n");
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut command = with_sockets(&shell, &[&socket]);
        if is_secure {
            command.env("LISTEN_FDNAMES", "https");
        }
        let manager = Manager::of(&shell, &mut command, Duration::from_millis(600));
        let server = Server::start(command);
        manager.hear("WATCHDOG=1");
        let address = socket.local_addr().expect("an address");
        // A place may be taken by the portal's own question for a moment.
        let visitors = (0..200).filter_map(|_| kept_connection(address, is_secure)).take(16);
        let visitors: Vec<TcpStream> = visitors.collect();
        assert_eq!(visitors.len(), 16);
        manager.skip_the_past();
        for _ in 0..3 {
            manager.hear("WATCHDOG=1");
        }
        let refused = shell.run(&["check"]).expect(3);
        assert!(refused.out.contains("turns visitors on"), "{refused:?}");
        drop(visitors);
        server.stop();
    }
}

/// A connection that is in; without TLS a request was answered on it, and with it nobody has begun.
fn kept_connection(address: SocketAddr, is_secure: bool) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    if !is_secure {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("writing");
    }
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a limit");
    let mut begin = [0; 12];
    let read = stream.read(&mut begin);
    let is_in = match is_secure {
        false => read.is_ok_and(|_| &begin == b"HTTP/1.1 200"),
        // Silence: it is not closed.
        true => read.is_err_and(|fault| fault.kind() == io::ErrorKind::WouldBlock),
    };
    is_in.then_some(stream)
}

#[test]
fn check_speaks_what_is_spoken_at_the_door() {
    let shell = Shell::new();
    shell.configure("proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let server = shell.serve(&[]);
    let checked = shell.run(&["check"]).expect(0);
    assert!(checked.out.contains("It answers on 127.0.0.1"), "{checked:?}");
    server.stop();

    let shell = Shell::new();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut command = with_sockets(&shell, &[&socket]);
    command.env("LISTEN_FDNAMES", "https");
    let server = Server::start(command);
    let checked = shell.run(&["check"]).expect(0);
    assert!(checked.out.contains("It answers on 127.0.0.1"), "{checked:?}");
    server.stop();
}

/// A socket unit of one's own may know only port 80.
#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_nobody_hands_over_is_opened_where_the_configuration_wants_one() {
    let shell = Shell::new();
    let http = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let https = port(&free);
    drop(free);
    let start = |https: String| {
        let mut command = with_sockets(&shell, &[&http]);
        command.env("LISTEN_FDNAMES", "http").env("APPLIANCE_LISTEN_HTTPS", https);
        tokio::task::block_in_place(|| Server::start(command))
    };
    let server = start(format!("127.0.0.1:{https}"));
    let client = Client::builder().danger_accept_invalid_certs(true).build().expect("a client");
    let answer = client.get(format!("https://127.0.0.1:{https}/sign-in")).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    tokio::task::block_in_place(|| server.stop());

    // What cannot be opened ends nothing: 192.0.2.1 is nobody's (RFC 5737).
    let server = start(format!("192.0.2.1:{https}"));
    let answer = client.get(format!("http://127.0.0.1:{}/sign-in", port(&http))).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    tokio::task::block_in_place(|| server.stop());
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
    let alone = shell.run(&["https", "--fetch"]).expect(1);
    assert!(alone.err.contains("No portal is running"), "{alone:?}");
    shell.run(&["config", "set", "email", "ops@example.com"]).expect(0);
    let set = shell.run(&["config", "set", "domain", "docs.example.com", "--no-wait"]).expect(0);
    assert!(set.out.contains("ops@example.com"), "{set:?}");
}

/// What is left open: the network to its visitors, a local socket, and what the reader of files uses to
/// lock itself in.
#[test]
fn the_unit_leaves_little_open() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/install/units/appliance.service");
    let mut command = Command::new("systemd-analyze");
    let arguments = ["security", "--offline=true", "--threshold=15", "--no-pager", unit];
    let Ok(rated) = command.args(arguments).output() else {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    };
    let (said, refused) =
        (String::from_utf8_lossy(&rated.stdout), String::from_utf8_lossy(&rated.stderr));
    if refused.contains("unrecognized option") {
        eprintln!("skipped: systemd-analyze rates no files before systemd 250");
        return;
    }
    assert!(rated.status.success() && said.contains("Overall exposure level"), "{said}{refused}");
}
