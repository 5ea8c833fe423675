//! Figures for monitoring, in the words of Prometheus.
//!
//! What happens is counted where it happens ([`HttpMetrics`], the store, S3); what simply is (sizes,
//! queues, dates) is looked at when somebody asks ([`now`]). Nothing is labelled by what people send:
//! a request counts for the pattern of its route, and there are so many routes and no more.

mod http;
mod now;

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use prometheus_client::{
    encoding::text::encode,
    metrics::info::Info,
    registry::{Registry, Unit},
};

pub use self::http::HttpMetrics;
use self::now::{Gauges, Now};
use super::App;
use crate::{blobs::Blobs, error::Result, store::Store};

/// In front of every name but those of the process, which all programs share.
const PREFIX: &str = "appliance";

pub struct Metrics {
    pub http: HttpMetrics,
    gauges: Gauges,
    /// Held while the gauges are set and written: two who ask at once do not mix.
    registry: Mutex<Registry>,
}

impl Metrics {
    pub(super) fn new(store: &Store, blobs: &Blobs) -> Self {
        let mut registry = Registry::default();
        let gauges = Gauges::register(&mut registry);
        let own = registry.sub_registry_with_prefix(PREFIX);
        let build = Info::new([("version", crate::version::number())]);
        own.register("build", "The version of the program", build);
        let http = HttpMetrics::register(own);
        register_store(own, store);
        own.register(
            "s3_requests",
            "Requests to S3 by direction (read, write) and outcome (ok, failed)",
            blobs.s3_requests(),
        );
        Metrics { http, gauges, registry: Mutex::new(registry) }
    }
}

fn register_store(registry: &mut Registry, store: &Store) {
    let figures = store.figures();
    registry.register(
        "store_commits",
        "Transactions of the database, each with one sync of the disk",
        figures.commits.clone(),
    );
    registry.register(
        "store_commit_failures",
        "Transactions of the database that failed",
        figures.failed_commits.clone(),
    );
    registry.register(
        "store_writes",
        "Writes; those that wait together share a transaction",
        figures.writes.clone(),
    );
    registry.register(
        "store_writes_refused",
        "Writes that were refused because only the reserve of the disk is left",
        figures.refused_writes.clone(),
    );
    registry.register_with_unit(
        "store_commit_duration",
        "How long a transaction took until the disk had it",
        Unit::Seconds,
        figures.commit_seconds.clone(),
    );
}

impl App {
    /// All figures of this moment, as OpenMetrics text, which every Prometheus reads.
    /// `connections` are open at the moment.
    pub async fn metrics_text(&self, connections: usize) -> Result<String> {
        let now = Now::look(self, connections).await?;
        let registry = self.metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.metrics.gauges.set(&now);
        let mut text = String::with_capacity(16 << 10);
        encode(&mut text, &registry).context("writing the figures")?;
        Ok(text)
    }
}
