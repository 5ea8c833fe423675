//! `appliance serve`: the portal, from its start to its end.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::{
    net::TcpSocket,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{Common, Exit, Failure, Shell, ask::runtime, logging, output, status};
use crate::{
    app::{App, Demo},
    blocking::blocking,
    clock::Clock,
    config::{Config, Flags},
    control::{self, Running, setup_url},
    error::Error,
    host::{limits, owner, ports},
    web,
};

/// For what still holds on to the data after everything was stopped.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen, such as 127.0.0.1:8080 or [::]:8080; port 0 takes a free one
    /// [also: APPLIANCE_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Fill an empty portal with a sample organization
    #[arg(long)]
    demo: bool,
}

impl Arguments {
    pub fn flags(&self) -> Flags {
        self.listen.clone().map(|listen| ("listen", "--listen", listen)).into_iter().collect()
    }
}

pub fn run(config: Config, common: &Common, arguments: &Arguments) -> Result<Exit, Failure> {
    logging::start_for_server(&config.log, common.verbose);
    limits::raise_open_files();
    let runtime = runtime()?;
    let exit = runtime.block_on(serve(config, arguments.demo));
    tracing::info!("the portal has stopped");
    exit
}

async fn serve(config: Config, mut demo: bool) -> Result<Exit, Failure> {
    // From here on a signal is noted; one that comes early must not kill us half-way.
    let mut signals = Signals::listen()?;
    let listener = bind(config.listen)?;
    owner::become_owner_of(&config.data)?;
    // Once more when a backup has taken the portal's place.
    while serve_once(&config, &listener, &mut signals, demo).await? == Ended::ToBeginAgain {
        demo = false;
    }
    Ok(Exit::Done)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Somebody wants it to.
    ForGood,
    ToBeginAgain,
}

async fn serve_once(
    config: &Config,
    listener: &TcpListener,
    signals: &mut Signals,
    demo: bool,
) -> Result<Ended, Failure> {
    let app = open(config.clone()).await?;
    let sample = if demo { Some(app.fill_with_demo().await?) } else { None };
    let running = running(&app, config, listener)?;
    let background = app.start();
    let control = control::listen(&config.data)?.serve(app.clone(), running.clone());
    let socket = listener.try_clone().context("sharing the socket")?;
    let server = web::serve(app.clone(), socket)?;
    let web = server.handle();
    let mut server = tokio::spawn(server);
    announce(&app, &running, sample).await?;

    let mut restart = app.watch_restart();
    let ended = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: finishing what is in flight; a second signal ends at once");
            Ok(Ended::ForGood)
        }
        _ = restart.wait_for(|wanted| *wanted) => Ok(Ended::ToBeginAgain),
        ended = &mut server => Err(ended),
    };
    let stopping = async {
        web.stop(true).await;
        control.stop().await;
        background.stop().await;
    };
    tokio::select! {
        () = stopping => {}
        name = signals.next() => {
            eprintln!("{name}: ending at once");
            std::process::exit(Exit::Failed as i32);
        }
    }
    match ended {
        Ok(Ended::ToBeginAgain) => {
            drop((restart, server, web));
            close(app).await?;
            Ok(Ended::ToBeginAgain)
        }
        Ok(Ended::ForGood) => Ok(Ended::ForGood),
        Err(ended) => {
            let fault = ended.map_err(anyhow::Error::from).and_then(|end| Ok(end?));
            let chain = fault.err().unwrap_or_else(|| anyhow!("it stopped by itself"));
            Err(chain.context("the web server has ended").into())
        }
    }
}

/// Waits until nobody has the data open any more.
async fn close(app: Arc<App>) -> Result<(), Failure> {
    let begin = Instant::now();
    while Arc::strong_count(&app) > 1 {
        if begin.elapsed() > CLOSE_PATIENCE {
            return Err(Failure::in_use(
                "The portal could not be closed. Start it again: it goes on with what was restored.",
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let dropped = tokio::task::spawn_blocking(move || drop(app)).await;
    Ok(dropped.context("closing the data")?)
}

async fn open(config: Config) -> Result<Arc<App>, Failure> {
    let data = config.data.clone();
    let opened = {
        let config = config.clone();
        blocking(move || App::open(config, Clock::system())).await
    };
    match opened {
        Ok(app) => Ok(app),
        Err(Error::Busy { message, .. }) => Err(in_use(config, &data, message).await),
        Err(error) => Err(error.into()),
    }
}

/// Says who has the data, when somebody answers.
async fn in_use(config: Config, data: &Path, message: String) -> Failure {
    match status::of_server(&Shell { config }).await {
        Ok(Some(status)) => Failure::in_use(format!(
            "A portal is running on {} already: {} (process {}). Stop it first, or name another \
             folder with --data.",
            data.display(),
            status.url,
            status.pid
        )),
        _ => Failure::in_use(message),
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = || -> io::Result<TcpListener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections of an earlier run that linger are no reason to refuse.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bound().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            let holder = match ports::listener(port) {
                Some(process) => format!("by {process}"),
                None => "by another process".into(),
            };
            let next = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(8080));
            Failure::in_use(format!(
                "Port {port} is in use {holder}. Stop that, or choose another port: --listen {next}"
            ))
        }
        io::ErrorKind::AddrNotAvailable => Failure::usage(format!(
            "This machine has no address {}. 0.0.0.0:{} listens on all that it has.",
            address.ip(),
            address.port()
        )),
        io::ErrorKind::PermissionDenied => Failure::usage(format!(
            "Port {} is reserved for root. Choose one from 1024 on: --listen {}",
            address.port(),
            SocketAddr::new(address.ip(), 8080)
        )),
        _ => Failure::from(anyhow!(error).context(format!("listening on {address}"))),
    })
}

fn running(app: &App, config: &Config, listener: &TcpListener) -> Result<Running, Failure> {
    let listens_on = listener.local_addr().context("reading the address of the server")?;
    let url = match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", reachable(listens_on)),
    };
    Ok(Running { url, listens_on, started_at: app.clock.now() })
}

/// An address that a browser can open, where "every address of this machine" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // Connecting a datagram socket sends nothing; it only chooses the own address that packets to
    // the given one (RFC 5737: nobody's) would bear.
    let own = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let ip = own.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |own| own.ip());
    SocketAddr::new(ip, address.port())
}

/// Tells the person who started it where it is, and how to begin. The secrets in it go to the
/// standard output alone, not into the log.
async fn announce(app: &App, running: &Running, sample: Option<Demo>) -> Result<(), Failure> {
    tracing::info!(url = running.url, listens_on = %running.listens_on, "the portal is running");
    let mut text = format!("Appliance is running on {}\n", running.url);
    match sample {
        Some(Demo::Filled(sample)) => text.push_str(&sample.to_string()),
        Some(Demo::NotEmpty) => {
            text.push_str("No sample content was added: there is a portal in the data folder.\n");
        }
        None => {}
    }
    if let Some(setup) = setup_url(app, &running.url).await? {
        tracing::info!("nobody administers the portal yet; a setup link was printed");
        text.push_str(&format!("Set it up within 30 minutes: {setup}\n"));
    }
    // A server whose output nobody reads is none the worse.
    if let Err(error) = output::write(&text) {
        tracing::warn!("writing to the standard output: {error}");
    }
    Ok(())
}

/// The signals that end the portal.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Kept so that the end of a terminal does not end the portal.
    _hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            _hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
