//! The one thread that writes. Closures that waited together share one transaction of the engine
//! and so one sync of the disk; each works on a buffer of its own, so that one that fails leaves
//! nothing behind and harms no other. Nobody hears `Ok` before the disk has it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::ContextV7;

use super::{
    changes::LATEST,
    engine::{Engine, Writer},
    figures::Figures,
    tx::{Finished, ReadTx, WriteTx},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    space::{Reserve, Room},
};

/// How many closures may share a transaction.
const BATCH_MAX: usize = 256;

/// A closure on its way through the writer, with its result and whoever waits for it.
pub(super) trait Work: Send {
    /// Runs the closure; what it wrote, unless it refused.
    fn run(&mut self, tx: WriteTx<'_>) -> Option<Finished>;

    /// Takes the closure's success back: what it wrote will not be committed.
    fn refuse(&mut self, why: Error);

    /// Tells the one who waits: the closure's own result or, with the reason why nothing was
    /// committed, that.
    fn answer(self: Box<Self>, committed: &anyhow::Result<()>);
}

pub(super) struct Request<F, T> {
    closure: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Request<F, T>
where
    F: FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    T: Send + 'static,
{
    pub fn with_reply(closure: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T>>) {
        let (reply, receiver) = oneshot::channel();
        (Box::new(Request { closure: Some(closure), result: None, reply }), receiver)
    }
}

impl<F, T> Work for Request<F, T>
where
    F: FnOnce(&mut WriteTx) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, mut tx: WriteTx<'_>) -> Option<Finished> {
        let closure = self.closure.take()?;
        // A panic is a fault of one request, not of all that share its transaction.
        let result = catch_unwind(AssertUnwindSafe(|| closure(&mut tx))).unwrap_or_else(|_| {
            Err(Error::Internal(anyhow!("a write panicked; the panic's message is in the log")))
        });
        let finished = result.is_ok().then(|| tx.finish());
        self.result = Some(result);
        finished
    }

    fn refuse(&mut self, why: Error) {
        self.result = Some(Err(why));
    }

    fn answer(self: Box<Self>, committed: &anyhow::Result<()>) {
        let result = match (self.result, committed) {
            (Some(Ok(_)) | None, Err(fault)) => Err(refusal(fault)),
            (Some(result), _) => result,
            (None, Ok(())) => Err(Error::Internal(anyhow!("this write was never run"))),
        };
        // The one who asked may be gone: a closed connection is no fault of the write.
        let _gone = self.reply.send(result);
    }
}

/// What the writer works with.
pub(super) struct Desk {
    pub engine: Arc<dyn Engine>,
    pub clock: Clock,
    /// Of the disk that the engine writes to.
    pub reserve: Option<Reserve>,
    pub figures: Figures,
}

impl Desk {
    /// Runs until the last sender of `queue` is dropped and the queue is empty.
    pub fn run(self, mut queue: mpsc::Receiver<Box<dyn Work>>, latest: watch::Sender<u64>) {
        let id_context = ContextV7::new().with_additional_precision();
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            let (mut after, began) = (0, Instant::now());
            let committed = self.engine.write(&mut |writer| {
                after = self.run_batch(&mut batch, writer, &id_context)?;
                Ok(())
            });
            self.figures.commits.inc();
            self.figures.writes.inc_by(batch.len() as u64);
            self.figures.commit_seconds.observe(began.elapsed().as_secs_f64());
            match &committed {
                Ok(()) => {
                    latest.send_if_modified(|known| std::mem::replace(known, after) != after);
                }
                Err(fault) => {
                    self.figures.failed_commits.inc();
                    tracing::error!("a commit failed: {fault:#}");
                }
            }
            for work in batch.drain(..) {
                work.answer(&committed);
            }
        }
    }

    /// Runs all of a batch and returns the sequence of the last change that is then in the log.
    fn run_batch(
        &self,
        batch: &mut [Box<dyn Work>],
        writer: &mut dyn Writer,
        id_context: &ContextV7,
    ) -> anyhow::Result<u64> {
        // Asked anew each time: after a failed commit only the engine knows what the disk has.
        let before = ReadTx::new(&*writer, self.clock.now()).latest_change()?;
        let may_add = self.may_add();
        let mut next_sequence = before + 1;
        for work in batch {
            let tx = WriteTx::new(&*writer, self.clock.now(), id_context);
            match work.run(tx) {
                Some(finished) if may_add || !finished.only_adds() => {
                    next_sequence = finished.flush(writer, next_sequence)?;
                }
                Some(_) => {
                    self.figures.refused_writes.inc();
                    work.refuse(disk_full("is nearly full"));
                }
                None => {}
            }
        }
        let latest = next_sequence - 1;
        if latest > before {
            let json = serde_json::to_vec(&latest).context("writing the sequence")?;
            writer.put(&super::tx::meta_key(LATEST), &json)?;
        }
        Ok(latest)
    }

    /// Whether there is room for more than what makes room. A disk that does not tell is written to:
    /// it says by itself when it is full.
    fn may_add(&self) -> bool {
        let Some(reserve) = &self.reserve else { return true };
        reserve.room().map_or(true, |room| room > Room::Critical)
    }
}

/// What everybody in a batch hears when it was not committed.
fn refusal(fault: &anyhow::Error) -> Error {
    let is_disk_full = fault.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == std::io::ErrorKind::StorageFull)
    });
    match is_disk_full {
        true => disk_full("is full"),
        false => Error::Internal(anyhow!("the commit failed: {fault:#}")),
    }
}

fn disk_full(how: &str) -> Error {
    Error::Full(format!(
        "The disk of the server {how}, so nothing was saved. Reading works as before. Delete what \
         is no longer needed and empty the trash, or ask your administrator to make room."
    ))
}
