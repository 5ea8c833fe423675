//! The threads that compress, for all backups that are under way: one for each core, and each leaves the
//! processor to everybody else who wants it.

use std::{num::NonZero, sync::LazyLock, thread};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::blocking::give_way;

/// `None` where the system gives no threads: then whoever wants something compressed does it.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    ThreadPoolBuilder::new()
        .num_threads(thread::available_parallelism().map_or(1, NonZero::get))
        .thread_name(|_| "compressing".into())
        .start_handler(|_| give_way())
        // Whoever waits for the outcome hears of it.
        .panic_handler(|_| ())
        .build()
        .inspect_err(|fault| tracing::warn!("no threads to compress with: {fault}"))
        .ok()
});

/// Begins with the work; what was begun first is taken first.
pub fn spawn(work: impl FnOnce() + Send + 'static) {
    match &*THREADS {
        Some(threads) => threads.spawn_fifo(work),
        None => work(),
    }
}

/// Waits until the work is done.
pub fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match &*THREADS {
        Some(threads) => threads.install(work),
        None => work(),
    }
}
