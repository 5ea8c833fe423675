//! Whose files take how much room.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        storage::{self, Counted, Usage},
    },
    error::Result,
};

pub(in crate::app) type UsageCache = Cache<(), Arc<Usage>>;

/// A million records take some seconds to read.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// Small portals are counted at once, and theirs should be fresh.
const FILES_KEPT_MIN: u64 = 10_000;
/// Records in one transaction: a view must not be held for long.
const STEP: usize = 1_000;

pub(in crate::app) fn usage_cache() -> UsageCache {
    Cache::builder().max_capacity(1).time_to_live(KEPT).build()
}

impl App {
    /// Counted from the records; a large portal's answer is up to five minutes old.
    pub async fn storage_usage(&self, actor: &Actor) -> Result<Arc<Usage>> {
        decide(actor, Action::Operate)?;
        if let Some(known) = self.usage.get(&()) {
            return Ok(known);
        }
        let (mut usage, mut after) = (Usage::default(), None);
        loop {
            (usage, after) = self
                .store
                .read(move |tx| {
                    let after = storage::count_blobs(tx, &mut usage, after, STEP)?;
                    Ok((usage, after))
                })
                .await?;
            if after.is_none() {
                break;
            }
        }
        let (mut counted, mut after) = (Counted::default(), None);
        loop {
            (counted, after) = self
                .store
                .read(move |tx| {
                    let after = storage::count(tx, &mut counted, after, STEP)?;
                    Ok((counted, after))
                })
                .await?;
            if after.is_none() {
                break;
            }
        }
        usage.organizations = self.store.read(move |tx| counted.by_organization(tx)).await?;
        let usage = Arc::new(usage);
        if usage.kept.files > FILES_KEPT_MIN {
            self.usage.insert((), usage.clone());
        }
        Ok(usage)
    }
}
