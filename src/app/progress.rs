//! How far something long has come, for whoever looks: a bar on a terminal, a line on a socket.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What is being done now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Such as "Reading documents"; empty before the first step.
    pub what: String,
    pub done: u64,
    /// Unknown while it is still counting.
    pub total: Option<u64>,
}

/// Tells how far it has come. Only the latest word is kept, so a slow listener holds nobody up.
#[derive(Clone, Debug)]
pub struct Reporter(watch::Sender<Step>);

impl Reporter {
    /// A reporter and one listener; [`listen`](Self::listen) makes more.
    pub fn new() -> (Self, watch::Receiver<Step>) {
        let (sender, listener) = watch::channel(Step::default());
        (Reporter(sender), listener)
    }

    /// For work that nobody watches.
    pub fn unheard() -> Self {
        Reporter::new().0
    }

    pub fn listen(&self) -> watch::Receiver<Step> {
        self.0.subscribe()
    }

    pub fn begin(&self, what: &str, total: Option<u64>) {
        self.0.send_replace(Step { what: what.into(), done: 0, total });
    }

    pub fn advance(&self, by: u64) {
        self.0.send_modify(|step| step.done += by);
    }

    /// Passes on what another reporter said.
    pub fn repeat(&self, step: Step) {
        self.0.send_replace(step);
    }
}
