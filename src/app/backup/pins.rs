//! Keeps the bytes that a backup is about to read: while one is under way, no file is removed.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard};

#[derive(Default)]
pub struct Pins {
    held: AtomicUsize,
    /// Held by whoever removes a file, from its record to its bytes.
    removing: RwLock<()>,
}

/// Held by a backup from before its transaction to its last file.
pub struct Pin<'a>(&'a Pins);

impl Pins {
    pub async fn hold(&self) -> Pin<'_> {
        self.held.fetch_add(1, Ordering::SeqCst);
        let pin = Pin(self);
        // Who began to remove before this one was counted is done after this line.
        drop(self.removing.write().await);
        pin
    }

    /// Leave to remove a file; `None` while a backup is under way.
    pub async fn removal(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let removal = self.removing.read().await;
        (self.held.load(Ordering::SeqCst) == 0).then_some(removal)
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}
