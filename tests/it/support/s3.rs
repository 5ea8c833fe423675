//! S3 in this process: a server that checks signatures and checksums and keeps its objects as plain
//! files, and a proxy in front of it that does what networks and servers do on bad days.

use std::{
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use appliance::config::{Backend, S3Config, StorageConfig};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, host::SingleDomain, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

pub const ACCESS_KEY: &str = "AKIAPORTAL";
pub const SECRET_KEY: &str = "a-tall-green-kettle";
const BUCKET: &str = "documents";
const PREFIX: &str = "portal/files";

/// A server with one bucket. Runs on a thread of its own, so that a busy test does not slow it.
pub struct S3Server {
    address: SocketAddr,
    root: TempDir,
}

impl S3Server {
    pub fn start() -> Self {
        S3Server::serve(None, None)
    }

    /// Behind a certificate.
    pub fn start_tls(tls: Arc<rustls::ServerConfig>) -> Self {
        S3Server::serve(None, Some(tls.into()))
    }

    /// Whose buckets may be named before this domain.
    pub fn start_for(domain: &str) -> Self {
        S3Server::serve(Some(domain), None)
    }

    fn serve(domain: Option<&str>, tls: Option<TlsAcceptor>) -> Self {
        let root = tempfile::tempdir().expect("a folder for S3");
        fs::create_dir(root.path().join(BUCKET)).expect("a bucket");
        let mut service =
            S3ServiceBuilder::new(FileSystem::new(root.path()).expect("a folder for S3"));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        if let Some(domain) = domain {
            service.set_host(SingleDomain::new(domain).expect("a domain"));
        }
        let service = service.build();
        let address = on_a_thread(move |stream| {
            let (service, tls) = (service.clone(), tls.clone());
            async move {
                stream.set_nodelay(true)?;
                if let Some(tls) = tls {
                    let stream = TokioIo::new(tls.accept(stream).await?);
                    let builder = Builder::new(TokioExecutor::new());
                    let served = builder.serve_connection(stream, service).await;
                    return served.map_err(io::Error::other);
                }
                let builder = Builder::new(TokioExecutor::new());
                let served = builder.serve_connection(TokioIo::new(stream), service).await;
                served.map_err(io::Error::other)
            }
        });
        S3Server { address, root }
    }

    /// Settings that lead here, or to a proxy in front.
    pub fn storage(&self, through: Option<&FaultProxy>) -> StorageConfig {
        let address = through.map_or(self.address, |proxy| proxy.address);
        let s3 = S3Config {
            bucket: BUCKET.into(),
            prefix: PREFIX.into(),
            endpoint: format!("http://{address}"),
            path_style: true,
            allow_http: true,
            access_key_id: ACCESS_KEY.into(),
            secret_access_key: SECRET_KEY.into(),
            ..S3Config::default()
        };
        StorageConfig {
            backend: Backend::S3,
            reserve_mb: 0,
            cache_mb: 0,
            s3,
            ..StorageConfig::default()
        }
    }

    /// The same settings, as a configuration file has them.
    pub fn configuration(&self, through: Option<&FaultProxy>) -> String {
        let storage = self.storage(through);
        format!(
            "[storage]\nbackend = \"s3\"\ncache_mb = 0\n[storage.s3]\nbucket = \"{BUCKET}\"\nprefix = \
             \"{PREFIX}\"\nendpoint = \"{}\"\npath_style = true\nallow_http = true\naccess_key_id = \
             \"{ACCESS_KEY}\"\nsecret_access_key = \"{SECRET_KEY}\"\n",
            storage.s3.endpoint
        )
    }

    /// How many objects there are, of whatever name.
    pub fn objects(&self) -> usize {
        let folders = fs::read_dir(self.root.path().join(BUCKET).join(PREFIX));
        let folders = folders.into_iter().flatten().map(|folder| folder.expect("an entry").path());
        folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().count()
    }

    /// The same for a portal whose files are on the disk, and only its backups here: in
    /// `s3://documents/…`.
    pub fn for_backups(&self, through: Option<&FaultProxy>) -> StorageConfig {
        let s3 = self.storage(through).s3;
        let s3 = S3Config { bucket: String::new(), prefix: String::new(), ..s3 };
        StorageConfig { reserve_mb: 0, s3, ..StorageConfig::default() }
    }

    /// A file below the bucket.
    pub fn in_bucket(&self, key: &str) -> PathBuf {
        self.root.path().join(BUCKET).join(key)
    }

    /// The file of an object, to look at it or to damage it.
    pub fn object(&self, key: &str) -> PathBuf {
        self.root.path().join(BUCKET).join(PREFIX).join(key)
    }

    /// Makes an object unreadable, until it is written anew.
    pub fn spoil(&self, key: &str) {
        let [bucket, key] = [BUCKET.into(), format!("{PREFIX}/{key}")]
            .map(|name: String| BASE64_URL_SAFE_NO_PAD.encode(name));
        let facts = format!(".bucket-{bucket}.object-{key}.internal.json");
        fs::write(self.root.path().join(facts), "not what the server writes").expect("a file");
    }

    /// Parts of uploads that were begun and are neither completed nor aborted.
    pub fn parts(&self) -> usize {
        let files = fs::read_dir(self.root.path()).expect("a folder");
        let names = files.map(|file| file.expect("an entry").file_name());
        names.filter(|name| name.to_string_lossy().contains(".part-")).count()
    }
}

/// What the proxy does to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    None,
    /// The connection is closed at once.
    Refuse,
    /// The connection is taken, and nothing ever comes.
    Silence,
    Delay(Duration),
    /// The answer ends after so many bytes of its body.
    Cut(usize),
    /// One bit of the answer's body is another one.
    Corrupt,
    /// One bit of the request's body is another one.
    CorruptUpload,
    /// An answer of its own.
    Answer(u16, &'static str),
    /// As long as it says so, to requests with this method only.
    Only(&'static str, Box<Disturbance>),
    /// As long as it says so, to requests whose head contains this text only.
    About(String, Box<Disturbance>),
    /// What is missing is forbidden, as it is for who may not list.
    ForbidMissing,
    /// The request arrives and is carried out; its answer gets lost.
    LoseAnswer,
    /// After so many requests, counted from now, nothing is answered any more; `true` when the last
    /// one of them is carried out and its answer lost.
    StopAfter(u64, bool),
    /// The same, and every later connection is closed at once.
    BreakAfter(u64, bool),
}

pub const SLOW_DOWN: Disturbance = Disturbance::Answer(503, "SlowDown");

/// Stands between the portal and S3.
pub struct FaultProxy {
    pub address: SocketAddr,
    state: Arc<ProxyState>,
}

struct ProxyState {
    disturbance: Mutex<Disturbance>,
    /// An answer for requests whose target contains a text.
    canned: Mutex<Option<(&'static str, String)>>,
    requests: AtomicU64,
    /// Begun, and neither answered by the server nor given up by the client.
    under_way: AtomicU64,
    log: Mutex<Vec<String>>,
    heads: Mutex<Vec<String>>,
}

impl FaultProxy {
    pub fn start(server: &S3Server) -> Self {
        let state = Arc::new(ProxyState {
            disturbance: Mutex::new(Disturbance::None),
            canned: Mutex::new(None),
            requests: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            log: Mutex::new(Vec::new()),
            heads: Mutex::default(),
        });
        let (upstream, shared) = (server.address, Arc::clone(&state));
        let address = on_a_thread(move |stream| {
            let shared = Arc::clone(&shared);
            async move { pass_on(stream, upstream, &shared).await }
        });
        FaultProxy { address, state }
    }

    /// From now on.
    pub fn disturb(&self, disturbance: Disturbance) {
        self.state.requests.store(0, Ordering::SeqCst);
        *self.state.disturbance.lock().unwrap() = disturbance;
    }

    /// Answers requests whose target contains the text with this body.
    pub fn can(&self, target: &'static str, body: String) {
        *self.state.canned.lock().unwrap() = Some((target, body));
    }

    /// Since the last change of weather.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// The head of every request, and forget them.
    pub fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut self.state.heads.lock().unwrap())
    }

    /// Waits until the server has done what it was asked for.
    pub async fn settle(&self) {
        while self.state.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Method and target of every request, and forget them.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.log.lock().unwrap())
    }
}

/// Accepts connections on a free port, for as long as the process lives.
pub(super) fn on_a_thread<F, T>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                // Clients go away in the middle; that is their business.
                let serving = serve(stream);
                tokio::spawn(async move { drop(serving.await) });
            }
        });
    });
    address
}

/// One request of a connection, which then ends: simple, and each request can fail by itself.
async fn pass_on(
    mut client: TcpStream,
    upstream: SocketAddr,
    state: &ProxyState,
) -> io::Result<()> {
    let disturbance = state.disturbance.lock().unwrap().clone();
    if disturbance == Disturbance::Refuse {
        state.requests.fetch_add(1, Ordering::SeqCst);
        return Ok(());
    }
    let (head, mut body) = read_head(&mut client).await?;
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let under_way = UnderWay::begin(&state.under_way);
    let number = state.requests.fetch_add(1, Ordering::SeqCst) + 1;
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    state.log.lock().unwrap().push(format!("{method} {target}"));
    state.heads.lock().unwrap().push(head.clone());
    let disturbance = match aimed(disturbance, method, &head) {
        Disturbance::StopAfter(last, _) if number > last => Disturbance::Silence,
        Disturbance::BreakAfter(last, _) if number > last => Disturbance::Refuse,
        Disturbance::StopAfter(last, true) | Disturbance::BreakAfter(last, true)
            if number == last =>
        {
            Disturbance::LoseAnswer
        }
        Disturbance::StopAfter(..) | Disturbance::BreakAfter(..) => Disturbance::None,
        other => other,
    };
    let length = content_length(&head);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(());
        }
    }
    let canned = state.canned.lock().unwrap().clone();
    if let Some((_, answer)) = canned.filter(|(wanted, _)| target.contains(wanted)) {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        return client.write_all((head + &answer).as_bytes()).await;
    }
    match &disturbance {
        Disturbance::Refuse => return Ok(()),
        Disturbance::Silence => {
            drop(under_way);
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            return Ok(());
        }
        Disturbance::Delay(delay) => tokio::time::sleep(*delay).await,
        Disturbance::Answer(status, code) => {
            return refuse(&mut client, method, *status, code).await;
        }
        Disturbance::CorruptUpload if !body.is_empty() => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        _ => {}
    }

    let (mut server, head, first) = ask(upstream, &head, &body).await?;
    drop(under_way);
    if disturbance == Disturbance::LoseAnswer {
        return Ok(());
    }
    if disturbance == Disturbance::ForbidMissing && head.starts_with(b"HTTP/1.1 404") {
        return refuse(&mut client, method, 403, "AccessDenied").await;
    }
    client.write_all(&head).await?;
    let mut piece = first;
    let mut sent = 0;
    loop {
        if disturbance == Disturbance::Corrupt && sent == 0 && !piece.is_empty() {
            let middle = piece.len() / 2;
            piece[middle] ^= 1;
        }
        if let Disturbance::Cut(after) = disturbance
            && sent + piece.len() > after
        {
            client.write_all(&piece[..after - sent]).await?;
            return client.flush().await;
        }
        client.write_all(&piece).await?;
        sent += piece.len();
        piece.clear();
        if server.read_buf(&mut piece).await? == 0 {
            return client.shutdown().await;
        }
    }
}

/// Without a code nobody says why: a gateway with nothing behind it.
async fn refuse(client: &mut TcpStream, method: &str, status: u16, code: &str) -> io::Result<()> {
    let body = match (method, code) {
        ("HEAD", _) | (_, "") => String::new(),
        _ => format!("<Error><Code>{code}</Code><Message>a bad day</Message></Error>"),
    };
    let head = format!(
        "HTTP/1.1 {status} No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    client.write_all((head + &body).as_bytes()).await
}

/// What a disturbance of some requests does to this one.
fn aimed(disturbance: Disturbance, method: &str, head: &str) -> Disturbance {
    match disturbance {
        Disturbance::Only(wanted, inner) if wanted == method => aimed(*inner, method, head),
        Disturbance::About(wanted, inner) if head.contains(&wanted) => aimed(*inner, method, head),
        Disturbance::Only(..) | Disturbance::About(..) => Disturbance::None,
        other => other,
    }
}

/// Counts a request for as long as it lives.
struct UnderWay<'c>(&'c AtomicU64);

impl<'c> UnderWay<'c> {
    fn begin(counter: &'c AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        UnderWay(counter)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends a request of its own connection, and reads the head of the answer.
async fn ask(
    upstream: SocketAddr,
    head: &str,
    body: &[u8],
) -> io::Result<(TcpStream, Vec<u8>, Vec<u8>)> {
    let mut server = TcpStream::connect(upstream).await?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes()).await?;
    server.write_all(body).await?;
    let (head, first) = read_head(&mut server).await?;
    Ok((server, head, first))
}

/// Everything up to the empty line, and what came with it of the body.
async fn read_head(stream: &mut TcpStream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut read = Vec::with_capacity(64 << 10);
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok((read, body));
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, length)| length.trim().parse().ok()).unwrap_or(0)
}
