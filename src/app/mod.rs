//! Flows: what crosses engines. An upload is bytes, a record and jobs; a search is an index, records
//! and the access decision; signing in is a password, a limit and a session.
//!
//! [`App`] holds the engines. Its flows are in one file each; the background tasks
//! ([`indexer`], [`worker`], [`keeper`]) run between [`App::start`] and [`Background::stop`].

mod backup;
mod bulk;
mod changeover;
mod check;
mod choices;
mod demo;
mod doctor;
mod download;
mod export;
mod extraction;
mod forecast;
mod https;
mod indexer;
mod keeper;
mod library;
mod logo;
mod metrics;
mod probes;
mod progress;
mod reached;
mod reading;
mod setup_link;
mod shown_once;
mod sign_in;
mod storage;
mod system;
mod tasks;
mod throttle;
mod trash;
mod upload;
mod users;
mod work;
mod worker;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::Context;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, Semaphore, watch},
    task::JoinSet,
};

pub use self::{
    backup::{
        Arriving, BackupWanted, Drilled, FOLDER as BACKUPS, FirstRestore, FirstWanted,
        Found as FoundBackups, Listed as ListedBackup, Made, PIPES, Passing, PlanView, Restore,
        Restored, Shipped, Source as BackupSource, Target, list as list_backups,
        place_of as place_of_backups, prune as prune_backups, read_again as read_archive_again,
        restore, unlock as unlock_backups, verify as verify_backups,
    },
    bulk::{BULK_MAX, BulkChange},
    changeover::{Changeover, Trial},
    check::{Damage, Report},
    choices::{Audience, Proposals},
    demo::{Demo, Sample},
    doctor::{Finding, Level},
    download::{Content, Image},
    export::Exported,
    https::{CertificateSource, Doors, Face, Https, HttpsStanding, host_of, matches},
    library::{Facets, Find, Found, Page, Sort, Statistics, names_of, with_surroundings},
    metrics::Metrics,
    progress::{Reporter, Step},
    reading::Reading,
    setup_link::{SetupForm, SetupLink},
    shown_once::ShownOnce,
    sign_in::{Credentials, Token},
    storage::{
        DataFiles, FaultyFile, LongWork, ScrubReport, Storage, StorageCheck, StorageStanding,
    },
    system::{JobCounts, LOG_LINES_MAX, System},
    trash::TrashPage,
    users::{FindUsers, UserDetails, UserSummary, UsersFound},
    work::Work,
};
use crate::{
    blobs::{Blobs, Folders, Limits},
    blocking::blocking,
    clock::Clock,
    config::Config,
    domain::{
        access::Actor,
        records,
        settings::{self, Settings},
    },
    error::Result,
    extract::{self, Extractor},
    log_tail::LogTail,
    search::{self, Index},
    space::{self, Reserve},
    store::{Store, WriteTx},
};
pub use crate::{
    blobs::{BreakerStatus, CheckStep, Outcome as CheckOutcome, Ownership, Status as FilesStatus},
    extract::TEXT_BYTES_MAX,
    search::{Snippet, Source as SnippetSource},
    tls::acme::ALPN as ACME_ALPN,
};

/// Password hashes made at a time, and how many more may wait for it: about a second's work.
const HASHED_TOGETHER: usize = 2;
const HASHING_WAITING_MAX: usize = 50;
/// How long a search waits for what was written before it.
const INDEX_PATIENCE: Duration = Duration::from_secs(1);
const SETTLING: Duration = Duration::from_secs(60);

/// The portal without its edges. Share it in an `Arc`.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub blobs: Blobs,
    pub index: Index,
    pub extractor: Extractor,
    pub setup_link: SetupLink,
    pub shown_once: ShownOnce,
    pub https: Https,
    pub metrics: Metrics,
    /// What is kept free on the disk of the data folder.
    pub reserve: Reserve,
    pub started_at: Timestamp,
    /// A copy for where a transaction would be too much; see [`App::refresh_settings`].
    settings: ArcSwap<Settings>,
    reached: reached::Reached,
    counts: library::CountCache,
    storage: storage::StorageCache,
    usage: storage::UsageCache,
    last_check: storage::LastCheck,
    turns: storage::Turns,
    throttle: throttle::Throttle,
    drawing: extraction::Drawing,
    /// Files that must stay while a backup is under way.
    pins: backup::Pins,
    /// While a version on trial has yet to show that it answers.
    holds_requests: watch::Sender<bool>,
    following: backup::Following,
    first_restores: backup::FirstRestores,
    /// Held by whoever takes the index one step further.
    indexing: Mutex<indexer::Followed>,
    log: OnceLock<LogTail>,
    unknown_proxy: OnceLock<IpAddr>,
    /// Taken to read the settings anew: who reads last has read the latest.
    refreshing: Mutex<()>,
    /// Password hashes in the making: each takes 19 MiB and a core.
    hashing: Arc<Semaphore>,
    /// Those, and the ones that wait.
    hashing_queue: Arc<Semaphore>,
}

impl App {
    /// The name of the database in the data folder: where it is, a portal has been.
    pub const DATABASE: &str = "appliance.redb";
    /// The folder of the search index there.
    pub const INDEX: &str = "index";

    /// Opens everything below the data folder, making what is missing. Blocks shortly.
    pub fn open(config: Config, clock: Clock) -> Result<Arc<Self>> {
        App::open_with(config, clock, None)
    }

    /// [`open`](Self::open), with another executable for the reading of files: a test's own binary
    /// cannot do it.
    pub fn open_with(
        config: Config,
        clock: Clock,
        worker_executable: Option<std::path::PathBuf>,
    ) -> Result<Arc<Self>> {
        let data = &config.data;
        create_private_folder(data)
            .with_context(|| format!("making the data folder {}", data.display()))?;
        // A restore that was cut off while it swapped the folders.
        backup::finish_swap(data)?;
        let cache_bytes = config.store.cache_mb as usize * 1024 * 1024;
        let reserve = Reserve::of_disk(data, u64::from(config.storage.reserve_mb) << 20)?;
        let database = data.join(App::DATABASE);
        let store = Store::open(&database, cache_bytes, clock.clone(), Some(reserve.clone()))?;
        // From here on the data are this process's alone.
        backup::sweep(data)?;
        let settings = store.write_blocking(|tx| {
            records::convert(tx)?;
            settings::prepare(tx)
        })?;
        let limits = Limits { reserve_bytes: reserve.bytes(), ..Limits::default() };
        let owner = storage::owner(&store, &config.storage, data)?;
        let folders = Folders::below(data);
        let blobs = Blobs::at(folders, &config.storage, owner, limits, clock.clone())?;
        // The store has the data folder for this process alone, so nobody is uploading.
        let swept = blobs.sweep_incoming_blocking(Timestamp::MAX)?;
        if swept.files > 0 {
            tracing::info!(
                files = swept.files,
                bytes = swept.bytes,
                "removed what interrupted uploads left behind"
            );
        }
        let index =
            search::Options { reserve: Some(reserve.clone()), ..search::Options::default() };
        let index = Index::open(&data.join(App::INDEX), index)?;
        let limits = extract::Limits {
            memory_bytes: u64::from(config.worker.memory_mb) << 20,
            wall: Duration::from_secs(config.worker.seconds.into()),
            allow_unsandboxed: config.worker.allow_unsandboxed,
            ..extract::Limits::default()
        };
        let children_max = config.worker.jobs as usize;
        let extractor = match worker_executable {
            Some(executable) => Extractor::with_executable(limits, children_max, executable),
            None => Extractor::new(limits, children_max),
        };
        let reached = reached::Reached::at(index.cursor());
        let metrics = Metrics::new(&store, &blobs);
        Ok(Arc::new(App {
            setup_link: SetupLink::new(clock.clone()),
            shown_once: ShownOnce::new(),
            https: Https::default(),
            metrics,
            reserve,
            started_at: clock.now(),
            throttle: throttle::Throttle::new(clock.clone()),
            log: OnceLock::new(),
            unknown_proxy: OnceLock::new(),
            refreshing: Mutex::new(()),
            settings: ArcSwap::from_pointee(settings),
            counts: library::CountCache::new(10_000),
            storage: storage::cache(),
            usage: storage::usage_cache(),
            last_check: storage::LastCheck::empty(),
            turns: storage::Turns::default(),
            drawing: extraction::Drawing::new(),
            pins: backup::Pins::default(),
            holds_requests: watch::Sender::new(false),
            following: backup::Following::default(),
            first_restores: backup::FirstRestores::default(),
            indexing: Mutex::default(),
            hashing: Arc::new(Semaphore::new(HASHED_TOGETHER)),
            hashing_queue: Arc::new(Semaphore::new(HASHED_TOGETHER + HASHING_WAITING_MAX)),
            index,
            reached,
            extractor,
            blobs,
            store,
            clock,
            config,
        }))
    }

    /// Starts what goes on in the background. Needs a tokio runtime.
    pub fn start(self: &Arc<Self>) -> Background {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        // Whoever searches from now on waits, also before the indexer takes its first step.
        self.reached.set_followed(true);
        tasks.spawn(indexer::run(self.clone(), stopped.clone()));
        tasks.spawn(worker::run(self.clone(), stopped.clone()));
        tasks.spawn(backup::follow(self.clone(), stopped.clone()));
        tasks.spawn(https::run(self.clone(), stopped.clone()));
        tasks.spawn(https::watch_names(self.clone(), stopped.clone()));
        tasks.spawn(storage::hurry_moves(self.clone(), stopped.clone()));
        tasks.spawn(keeper::run(self.clone(), stopped));
        Background { stop, tasks }
    }

    /// The settings of this moment.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Reads the settings anew; whoever changed them calls this.
    pub async fn refresh_settings(&self) -> Result<()> {
        let _turn = self.refreshing.lock().await;
        let settings = self.store.read(settings::get).await?;
        self.settings.store(Arc::new(settings));
        Ok(())
    }

    /// Where the last lines of the log are, for those who look at them from within.
    pub fn keep_log(&self, log: LogTail) {
        // Given once, by who started the process.
        let _given = self.log.set(log);
    }

    /// The last lines of the log; none in a process that keeps none.
    pub fn log_tail(&self) -> LogTail {
        self.log.get().cloned().unwrap_or_default()
    }

    /// Remembers, for the log and for [`doctor`](App::doctor), that a proxy which the configuration
    /// does not know passes requests on.
    pub fn note_unknown_proxy(&self, address: IpAddr) {
        if self.unknown_proxy.set(address).is_ok() {
            tracing::warn!(
                %address,
                "a proxy that is not among trusted_proxies passes requests on: all visitors seem to have its address"
            );
        }
    }

    /// A write on behalf of somebody, with the rights they have when it is made: a request is read
    /// long after it began, if its body comes slowly.
    ///
    /// # Errors
    /// `SignInRequired` when the session, the token or the account is gone by then.
    pub async fn write_as<T: Send + 'static>(
        &self,
        actor: Actor,
        verb: impl FnOnce(&mut WriteTx, &Actor) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store
            .write(move |tx| {
                let actor = actor.again(tx)?;
                verb(tx, &actor)
            })
            .await
    }

    /// Makes sure that so many bytes fit on the disk of a folder, and that as much stays free there
    /// as on that of the data.
    ///
    /// # Errors
    /// `Full`, with the numbers.
    pub async fn require_room(&self, folder: &std::path::Path, bytes: u64) -> Result<()> {
        let (folder, reserve_bytes) = (folder.to_owned(), self.reserve.bytes());
        blocking(move || space::require(&folder, bytes, reserve_bytes)).await
    }

    /// Waits shortly until the search index shows everything committed so far. What a list shows is
    /// decided by the store in any case; an index that is behind only leaves something out.
    async fn wait_for_index(&self) {
        let sequence = *self.store.latest_change().borrow();
        if !self.reached.wait(sequence, INDEX_PATIENCE).await {
            tracing::debug!(sequence, "the search index is behind; an answer did not wait for it");
        }
    }

    /// How many changes the search index has yet to follow, of those up to `latest`.
    pub fn index_lag(&self, latest: u64) -> u64 {
        latest.saturating_sub(self.reached.sequence())
    }

    /// Waits until no job is due and the index shows every change, for the latter a minute at most; for
    /// tests and the command line.
    pub async fn settle(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let is_idle = self.store.read(crate::domain::jobs::is_idle).await?;
            let sequence = *self.store.latest_change().borrow();
            let is_shown = self.reached.wait(sequence, SETTLING).await;
            let is_over = is_shown || begin.elapsed() > SETTLING;
            if is_idle && is_over && sequence == *self.store.latest_change().borrow() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The background tasks of a started [`App`].
pub struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Background {
    /// Lets every task finish what it is at, and waits for that.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(fault) = ended {
                tracing::error!("a background task panicked: {fault}");
            }
        }
    }
}

/// Sleeps until `patience` is over or the portal stops; `true` when it stops.
async fn stops_within(stopped: &mut watch::Receiver<bool>, patience: Duration) -> bool {
    tokio::time::timeout(patience, stopped.wait_for(|stopped| *stopped)).await.is_ok()
}

fn create_private_folder(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
