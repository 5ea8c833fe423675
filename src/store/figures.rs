//! What the writer has done, counted for monitoring.

use prometheus_client::metrics::{
    counter::Counter,
    histogram::{Histogram, exponential_buckets},
};

/// Clones count together.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Transactions of the engine, each with one sync of the disk.
    pub commits: Counter,
    pub failed_commits: Counter,
    /// Closures that were run; those that waited together share a commit.
    pub writes: Counter,
    /// Closures that were refused because only the reserve of the disk is left.
    pub refused_writes: Counter,
    /// How long a commit took with all its closures, in seconds.
    pub commit_seconds: Histogram,
}

impl Default for Figures {
    fn default() -> Self {
        Figures {
            commits: Counter::default(),
            failed_commits: Counter::default(),
            writes: Counter::default(),
            refused_writes: Counter::default(),
            // From half a millisecond to eight seconds.
            commit_seconds: Histogram::new(exponential_buckets(0.000_5, 2.0, 15)),
        }
    }
}
