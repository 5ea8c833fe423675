//! `appliance serve`: the portal, from its start to its end.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Common, Exit, Failure, Shell,
    ask::runtime,
    doors::Doors,
    logging, output, status,
    watchdog::{self, Between},
};
use crate::{
    app::{App, Changeover, Demo, Trial},
    blocking::blocking,
    clock::Clock,
    config::{Config, Flags},
    control::{self, Running, setup_url},
    error::Error,
    host::{limits, owner, processes::OWN_PROGRAM, service},
    log_tail::LogTail,
    web,
};

/// Descriptors for everything that is no connection.
const FILES_KEPT: u64 = 512;
/// For what still holds on to the data after everything was stopped.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to listen, such as 127.0.0.1:8080 or [::]:8080; port 0 takes a free one
    /// [also: APPLIANCE_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where to listen for HTTPS, such as 0.0.0.0:443 [also: APPLIANCE_LISTEN_HTTPS]
    #[arg(long, value_name = "ADDRESS")]
    listen_https: Option<String>,
    /// Fill an empty portal with a sample organization
    #[arg(long)]
    demo: bool,
}

impl Arguments {
    pub fn flags(&self) -> Flags {
        let http = self.listen.clone().map(|listen| ("listen", "--listen", listen));
        let https =
            self.listen_https.clone().map(|listen| ("listen_https", "--listen-https", listen));
        http.into_iter().chain(https).collect()
    }
}

pub fn run(mut config: Config, common: &Common, arguments: &Arguments) -> Result<Exit, Failure> {
    let log = logging::start_for_server(&config.log, common.verbose);
    limits::raise_open_files();
    fit_connections(&mut config);
    let runtime = runtime()?;
    let exit = runtime.block_on(serve(config, log, arguments.demo));
    tracing::info!("the portal has stopped");
    exit
}

/// Each connection takes a descriptor, and files, the index and S3 need some as well: so many people
/// are refused in words, instead of by a system that has none left.
fn fit_connections(config: &mut Config) {
    let Some(open_files) = limits::open_files() else { return };
    let fitting = open_files.saturating_sub(FILES_KEPT).max(open_files / 2);
    let fitting = u32::try_from(fitting).unwrap_or(u32::MAX);
    if config.limits.connections > fitting {
        tracing::warn!(
            open_files,
            connections = fitting,
            "fewer connections than limits.connections are taken: the system allows too few open files"
        );
        config.limits.connections = fitting;
    }
}

async fn serve(config: Config, log: LogTail, mut demo: bool) -> Result<Exit, Failure> {
    // From here on a signal is noted; one that comes early must not kill us half-way.
    let mut signals = Signals::listen()?;
    let doors = Doors::open(&config)?;
    owner::become_owner_of(&config.data)?;
    // Once more when a backup has taken the portal's place.
    let mut between = None;
    while serve_once(&config, &log, &doors, &mut signals, demo, &mut between).await?
        == Ended::ToBeginAgain
    {
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

/// Until somebody wants the portal to end. `between` lasts from its end to when the next one answers.
async fn serve_once(
    config: &Config,
    log: &LogTail,
    doors: &Doors,
    signals: &mut Signals,
    demo: bool,
    between: &mut Option<Between>,
) -> Result<Ended, Failure> {
    let trial = trial(config).await?;
    let app = open(config.clone()).await?;
    app.keep_log(log.clone());
    if trial.is_some() {
        app.hold_requests();
    }
    let sample = if demo { Some(app.fill_with_demo().await?) } else { None };
    let running = running(&app, config, doors)?;
    let tls = app.open_doors(doors.addresses()?).await?;
    let (server, web) = web::serve(app.clone(), doors.share(tls.as_ref())?)?;
    let mut server = tokio::spawn(server);
    web::probe(app.https.doors(), config).await.context("asking the server whether it answers")?;
    if let Some(trial) = trial {
        trial.pass()?;
        app.let_requests_in();
    }
    // Before it was known that this program answers, nothing was promised, removed or sent.
    let background = app.start();
    let control = control::listen(&config.data)?.serve(app.clone(), running.clone());
    announce(&app, &running, sample).await?;
    service::ready(&watchdog::sentence(&app, &running.url).await);
    let watchdog = tokio::spawn(watchdog::run(app.clone(), running.url.clone()));
    *between = None;

    let mut restart = app.watch_restart();
    let ended = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: finishing what is in flight; a second signal ends at once");
            Ok(Ended::ForGood)
        }
        _ = restart.wait_for(|wanted| *wanted) => Ok(Ended::ToBeginAgain),
        ended = &mut server => Err(ended),
    };
    if matches!(ended, Ok(Ended::ToBeginAgain)) {
        *between = Some(Between::begin());
    }
    watchdog.abort();
    let stopping = async {
        // It ends by being aborted, and lets go of the data.
        let _aborted = watchdog.await;
        tokio::join!(web.stop(), control.stop());
        background.stop().await;
    };
    let ended = match ended {
        Ok(ended) => finish(stopping, signals, ended).await,
        Err(ended) => {
            finish(stopping, signals, Ended::ForGood).await;
            let fault = ended.map_err(anyhow::Error::from).and_then(|end| Ok(end?));
            let chain = fault.err().unwrap_or_else(|| anyhow!("it stopped by itself"));
            return Err(chain.context("the web server has ended").into());
        }
    };
    if ended == Ended::ToBeginAgain {
        drop((restart, server, web));
        close(app).await?;
    }
    Ok(ended)
}

/// Lets the portal stop. The first signal, if none has come yet, makes it stay so; the next one ends
/// the process.
#[expect(clippy::disallowed_methods, reason = "somebody at the keyboard insists")]
async fn finish(stopping: impl Future<Output = ()>, signals: &mut Signals, ended: Ended) -> Ended {
    let mut ended = ended;
    tokio::pin!(stopping);
    loop {
        if ended == Ended::ForGood {
            service::stopping();
        }
        tokio::select! {
            () = &mut stopping => return ended,
            name = signals.next() => match ended {
                Ended::ToBeginAgain => {
                    tracing::info!("{name}: the portal does not begin again");
                    ended = Ended::ForGood;
                }
                Ended::ForGood => {
                    eprintln!("{name}: ending at once");
                    std::process::exit(Exit::Failed as i32);
                }
            },
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

/// During an update, this program may be the one that is on trial.
async fn trial(config: &Config) -> Result<Option<Trial>, Failure> {
    let data = config.data.clone();
    Ok(blocking(move || Changeover::of(&data).trial(Path::new(OWN_PROGRAM))).await?)
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

fn running(app: &App, config: &Config, doors: &Doors) -> Result<Running, Failure> {
    let doors = doors.addresses()?;
    let (scheme, listens_on) = match (doors.http, doors.https) {
        (Some(address), _) => ("http", address),
        (None, Some(address)) => ("https", address),
        (None, None) => return Err(anyhow!("the server listens nowhere").into()),
    };
    let url = match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => origin(scheme, reachable(listens_on)),
    };
    Ok(Running { url, listens_on, started_at: app.clock.now() })
}

/// As browsers write it: without the port that belongs to the scheme.
fn origin(scheme: &str, address: SocketAddr) -> String {
    match (scheme, address.port(), address.ip()) {
        ("http", 80, IpAddr::V4(ip)) | ("https", 443, IpAddr::V4(ip)) => format!("{scheme}://{ip}"),
        ("http", 80, IpAddr::V6(ip)) | ("https", 443, IpAddr::V6(ip)) => {
            format!("{scheme}://[{ip}]")
        }
        _ => format!("{scheme}://{address}"),
    }
}

/// An address that a browser can open, where "every address of this machine" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // Nobody's (RFC 5737, RFC 3849).
    let outside = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let mut own = outside.into_iter().filter_map(|(from, to)| own_address(from, to).ok());
    let ip = own.next().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    SocketAddr::new(ip, address.port())
}

/// The own address that packets to the given one would bear. Connecting a datagram socket chooses it,
/// and sends nothing.
fn own_address(from: &str, to: &str) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(from)?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

/// Tells the person who started it where it is, and how to begin. The secrets in it go to the
/// standard output alone, not into the log.
async fn announce(app: &App, running: &Running, sample: Option<Demo>) -> Result<(), Failure> {
    let url = running.public_url(app);
    let secure = app.https.doors().https.map(|address| address.to_string());
    tracing::info!(url, listens_on = %running.listens_on, https = secure, "the portal is running");
    let mut text = format!("Appliance is running on {url}\n");
    match sample {
        Some(Demo::Filled(sample)) => text.push_str(&sample.to_string()),
        Some(Demo::NotEmpty) => {
            text.push_str("No sample content was added: there is a portal in the data folder.\n");
        }
        None => {}
    }
    if let Some(setup) = setup_url(app, &url).await? {
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
