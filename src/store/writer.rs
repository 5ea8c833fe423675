//! The one thread that writes. Closures that waited together share one transaction of the engine
//! and so one sync of the disk; each works on a buffer of its own, so that one that fails leaves
//! nothing behind and harms no other. Nobody hears `Ok` before the disk has it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::ContextV7;

use super::{
    changes::LATEST,
    engine::{Engine, Writer},
    tx::{Finished, WriteTx},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
};

/// How many closures may share a transaction.
const BATCH_MAX: usize = 256;

/// A closure on its way through the writer, with its result and whoever waits for it.
pub(super) trait Work: Send {
    /// Runs the closure; what it wrote, unless it refused.
    fn run(&mut self, tx: WriteTx<'_>) -> Option<Finished>;

    /// Tells the one who waits: the closure's own result, or that nothing was committed.
    fn answer(self: Box<Self>, committed: bool);
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
    pub fn new(closure: F) -> (Box<dyn Work>, oneshot::Receiver<Result<T>>) {
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

    fn answer(self: Box<Self>, committed: bool) {
        let result = match self.result {
            Some(Ok(_)) if !committed => Err(Error::Internal(anyhow!("the commit failed"))),
            Some(result) => result,
            None => Err(Error::Internal(anyhow!("the transaction was abandoned before this write"))),
        };
        // The one who asked may be gone: a closed connection is no fault of the write.
        let _gone = self.reply.send(result);
    }
}

/// Runs until the last sender of `queue` is dropped and the queue is empty.
pub(super) fn run(
    engine: Arc<dyn Engine>,
    clock: Clock,
    mut queue: mpsc::Receiver<Box<dyn Work>>,
    latest: watch::Sender<u64>,
) {
    let id_context = ContextV7::new().with_additional_precision();
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let before = *latest.borrow();
        let mut after = before;
        let committed = engine.write(&mut |writer| {
            after = run_batch(&mut batch, writer, &clock, &id_context, before + 1)? - 1;
            Ok(())
        });
        match &committed {
            Ok(()) if after > before => {
                latest.send_replace(after);
            }
            Ok(()) => {}
            Err(fault) => tracing::error!("a commit failed: {fault:#}"),
        }
        for work in batch.drain(..) {
            work.answer(committed.is_ok());
        }
    }
}

fn run_batch(
    batch: &mut [Box<dyn Work>],
    writer: &mut dyn Writer,
    clock: &Clock,
    id_context: &ContextV7,
    mut next_sequence: u64,
) -> anyhow::Result<u64> {
    let first_sequence = next_sequence;
    for work in batch {
        let tx = WriteTx::new(&*writer, clock.now(), id_context);
        if let Some(finished) = work.run(tx) {
            next_sequence = finished.flush(writer, next_sequence)?;
        }
    }
    if next_sequence > first_sequence {
        let json = serde_json::to_vec(&(next_sequence - 1)).context("writing the sequence")?;
        writer.put(&super::tx::meta_key(LATEST), &json)?;
    }
    Ok(next_sequence)
}
