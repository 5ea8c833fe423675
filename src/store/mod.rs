//! The store: typed tables in transactions over an ordered key-value engine.
//!
//! A closure is a transaction: [`Store::write`] runs it on the writer's thread and answers when
//! the disk has it, [`Store::read`] gives it a view that does not change. Inside, records are put,
//! got and scanned by type; indexes and the change log keep themselves.
//!
//! It knows no noun: tables are declared by `domain`, bytes are kept by an [`Engine`].

mod changes;
mod copying;
pub mod cursor;
mod engine;
mod figures;
mod integrity;
mod key;
mod memory;
mod redb;
mod scan;
mod stored;
mod table;
mod tx;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    changes::{Change, Changes},
    engine::{Direction, Engine, Pair, Pairs, Reader, Span, Writer},
    figures::Figures,
    integrity::{Fault, Inspection},
    key::Key,
    memory::MemoryEngine,
    redb::RedbEngine,
    scan::{IndexScan, RecordScan},
    table::{Index, IndexEntries, Record, Table},
    tx::{ReadTx, WriteTx},
};
use crate::{
    blocking::blocking,
    clock::Clock,
    error::{Error, Result},
    space::Reserve,
};

/// How many writes may wait. The next one waits for a place, so a flood slows its senders down
/// instead of filling the memory.
const QUEUE_MAX: usize = 1024;

/// A handle to the store; clones share it. The last one to go waits for the writer to finish.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    clock: Clock,
    latest: watch::Receiver<u64>,
    figures: Figures,
    writer: Arc<WriterHandle>,
}

impl Store {
    /// Opens the database file, making it when it is missing.
    ///
    /// `reserve` is that of its disk, if one is kept: see [`WriteTx::draw_on_reserve`].
    ///
    /// # Errors
    /// `Busy` when another process has it open.
    pub fn open(
        path: &Path,
        cache_bytes: usize,
        clock: Clock,
        reserve: Option<Reserve>,
    ) -> Result<Self> {
        let engine = RedbEngine::open(path, cache_bytes).map_err(|fault| {
            match fault.downcast_ref::<::redb::DatabaseError>() {
                Some(::redb::DatabaseError::DatabaseAlreadyOpen) => Error::Busy {
                    message: format!(
                        "Another process has {} open. Stop it, or use another data folder.",
                        path.display()
                    ),
                    retry_after_s: 1,
                },
                _ => Error::Internal(fault),
            }
        })?;
        Store::start(Arc::new(engine), clock, reserve)
    }

    /// A store over any engine.
    pub fn over(engine: Arc<dyn Engine>, clock: Clock) -> Result<Self> {
        Store::start(engine, clock, None)
    }

    fn start(engine: Arc<dyn Engine>, clock: Clock, reserve: Option<Reserve>) -> Result<Self> {
        let latest = ReadTx::new(&*engine.read()?, clock.now()).latest_change()?;
        let (announce, latest) = watch::channel(latest);
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let figures = Figures::default();
        let thread = {
            let (engine, clock, figures) = (engine.clone(), clock.clone(), figures.clone());
            let desk = writer::Desk { engine, clock, reserve, figures };
            thread::Builder::new()
                .name("store-writer".into())
                .spawn(move || desk.run(waiting, announce))
                .context("starting the store's writer")?
        };
        let writer = Arc::new(WriterHandle { queue: Some(queue), thread: Some(thread) });
        Ok(Store { engine, clock, latest, figures, writer })
    }

    /// Runs `closure` in a transaction and returns once it is durable. An `Err` from it, or a
    /// panic in it, and nothing happened.
    pub async fn write<T, F>(&self, closure: F) -> Result<T>
    where
        F: FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (work, reply) = writer::Request::with_reply(closure);
        self.writer.queue()?.send(work).await.map_err(|_| writer_gone())?;
        receive(reply.await)
    }

    /// [`write`](Self::write) for a thread that may wait.
    pub fn write_blocking<T, F>(&self, closure: F) -> Result<T>
    where
        F: FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (work, reply) = writer::Request::with_reply(closure);
        self.writer.queue()?.blocking_send(work).map_err(|_| writer_gone())?;
        receive(reply.blocking_recv())
    }

    /// Runs `closure` over a view of what is committed now, away from the async threads: a page
    /// that is not in memory costs a disk read.
    pub async fn read<T, F>(&self, closure: F) -> Result<T>
    where
        F: FnOnce(&ReadTx) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let store = self.clone();
        blocking(move || store.read_blocking(closure)).await
    }

    /// [`read`](Self::read) for a thread that may wait.
    pub fn read_blocking<T>(&self, closure: impl FnOnce(&ReadTx) -> Result<T>) -> Result<T> {
        let reader = self.engine.read()?;
        closure(&ReadTx::new(&*reader, self.clock.now()))
    }

    /// True when the writer's thread answers, whatever it says: a disk that is full is no reason to
    /// take it for dead.
    pub async fn writer_answers(&self) -> bool {
        let (work, reply) = writer::Request::with_reply(|_: &mut WriteTx| Ok(()));
        let Ok(queue) = self.writer.queue() else { return false };
        queue.send(work).await.is_ok() && reply.await.is_ok()
    }

    /// The sequence of the last committed change; wakes whoever follows.
    pub fn latest_change(&self) -> watch::Receiver<u64> {
        self.latest.clone()
    }

    /// What was written so far, in numbers.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

fn receive<T>(reply: Result<Result<T>, oneshot::error::RecvError>) -> Result<T> {
    reply.map_err(|_| writer_gone())?
}

fn writer_gone() -> Error {
    Error::Internal(anyhow!("the store's writer has stopped"))
}

struct WriterHandle {
    queue: Option<mpsc::Sender<Box<dyn writer::Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterHandle {
    fn queue(&self) -> Result<&mpsc::Sender<Box<dyn writer::Work>>> {
        self.queue.as_ref().ok_or_else(writer_gone)
    }
}

impl Drop for WriterHandle {
    /// Closes the queue, then waits until everything in it is written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}
