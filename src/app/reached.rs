//! How far the search index has come, for those who wait for it.
//!
//! Whoever changes something does not wait for the index; whoever searches waits until it shows what
//! was committed before. So the index may gather changes while nobody looks.

use std::{future::pending, time::Duration};

use tokio::{sync::watch, time::timeout};

pub(super) struct Reached {
    standing: watch::Sender<Standing>,
    /// The furthest change that somebody waits for.
    asked: watch::Sender<u64>,
}

#[derive(Clone, Copy)]
struct Standing {
    /// The last change that the index shows, or that concerns nothing in it.
    sequence: u64,
    /// False while nobody follows, after a fault, or while many documents are indexed anew: then
    /// waiting would bring nothing soon.
    is_followed: bool,
}

impl Reached {
    pub fn at(sequence: u64) -> Self {
        Reached {
            standing: watch::Sender::new(Standing { sequence, is_followed: false }),
            asked: watch::Sender::new(0),
        }
    }

    pub fn sequence(&self) -> u64 {
        self.standing.borrow().sequence
    }

    /// The index stands here now; after it was replaced that may be further back.
    pub fn set(&self, sequence: u64) {
        self.standing.send_modify(|standing| standing.sequence = sequence);
    }

    /// Whether it pays to wait.
    pub fn set_followed(&self, is_followed: bool) {
        self.standing.send_if_modified(|standing| {
            std::mem::replace(&mut standing.is_followed, is_followed) != is_followed
        });
    }

    /// Waits until the index has come to this change; `false` when it has not within `patience`, or
    /// when nobody brings it there.
    pub async fn wait(&self, sequence: u64, patience: Duration) -> bool {
        if self.sequence() >= sequence {
            return true;
        }
        self.asked.send_if_modified(|asked| {
            let is_further = sequence > *asked;
            *asked = sequence.max(*asked);
            is_further
        });
        let mut standing = self.standing.subscribe();
        let settled =
            standing.wait_for(|standing| standing.sequence >= sequence || !standing.is_followed);
        match timeout(patience, settled).await {
            Ok(Ok(standing)) => standing.sequence >= sequence,
            _ => false,
        }
    }

    /// Comes back when somebody, from now on, waits for more than anybody did before.
    pub fn asked_anew(&self) -> impl Future<Output = ()> + use<> {
        let mut asked = self.asked.subscribe();
        async move {
            if asked.changed().await.is_err() {
                pending().await
            }
        }
    }

    /// Comes back when somebody waits for more than the index shows.
    pub async fn asked_for_more(&self) {
        let mut asked = self.asked.subscribe();
        if asked.wait_for(|asked| *asked > self.sequence()).await.is_err() {
            // Its sender is in `self`.
            pending().await
        }
    }
}
