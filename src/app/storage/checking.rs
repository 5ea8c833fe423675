//! Tries everything that is needed of S3, and remembers what came of it until the next start.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    blobs::{CheckStep, Outcome},
    domain::access::{Action, Actor, decide},
    error::Result,
};

pub(in crate::app) type LastCheck = ArcSwapOption<StorageCheck>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageCheck {
    pub at: Timestamp,
    /// Such as `s3://documents/portal`; `None` when no S3 is configured.
    pub name: Option<String>,
    pub steps: Vec<CheckStep>,
}

impl StorageCheck {
    /// What does not work.
    pub fn failed(&self) -> usize {
        let fails = |step: &&CheckStep| matches!(step.outcome, Outcome::Fails { .. });
        self.steps.iter().filter(fails).count()
    }
}

impl App {
    /// Writes, reads, lists and deletes an object of its own. An S3 that does not answer takes a
    /// minute.
    pub async fn check_storage(&self, actor: &Actor) -> Result<Arc<StorageCheck>> {
        decide(actor, Action::Operate)?;
        let steps = self.blobs.check_remote().await;
        let name = self.blobs.status().await?.remote.map(|remote| remote.name);
        let check = Arc::new(StorageCheck { at: self.clock.now(), name, steps });
        self.last_check.store(Some(check.clone()));
        Ok(check)
    }
}
