//! The queue before the library's indexing thread, bounded by bytes.
//!
//! The library bounds its queue by ten thousand documents, which may be kilobytes or gigabytes. So
//! each document carries a ticket for its length, and who brings the next one waits while too
//! much is on the way.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use tantivy::{Document, TantivyDocument};

/// Documents on the way, in bytes; a single longer one goes alone.
const BYTES_MAX: usize = 24 * 1024 * 1024;
/// A thread that died gives its tickets back; should it ever not, the queue opens after this time.
const WAIT_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
pub(super) struct Gate {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    bytes: Mutex<usize>,
    freed: Condvar,
}

/// A document on its way to the indexing thread.
pub(super) struct Queued {
    document: TantivyDocument,
    _ticket: Ticket,
}

struct Ticket {
    gate: Gate,
    bytes: usize,
}

impl Gate {
    /// Gives a document its ticket, as soon as there is room for it.
    pub fn queue(&self, document: TantivyDocument, bytes: usize) -> Queued {
        let is_full = |waiting: &mut usize| *waiting > 0 && *waiting + bytes > BYTES_MAX;
        let waiting = self.inner.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self
            .inner
            .freed
            .wait_timeout_while(waiting, WAIT_MAX, is_full)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        *waiting += bytes;
        Queued { document, _ticket: Ticket { gate: self.clone(), bytes } }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.gate.inner.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.gate.inner.freed.notify_all();
    }
}

impl Document for Queued {
    type Value<'a> = <TantivyDocument as Document>::Value<'a>;
    type FieldsValuesIter<'a> = <TantivyDocument as Document>::FieldsValuesIter<'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.document.iter_fields_and_values()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_full_queue_opens_when_a_document_leaves_it() {
        let gate = Gate::default();
        let first = gate.queue(TantivyDocument::new(), BYTES_MAX * 2);
        thread::scope(|scope| {
            let second = scope.spawn(|| gate.queue(TantivyDocument::new(), 1));
            thread::sleep(Duration::from_millis(50));
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap();
        });
        assert_eq!(*gate.inner.bytes.lock().unwrap(), 0);
    }
}
