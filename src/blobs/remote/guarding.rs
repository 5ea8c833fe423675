//! Every request passes a [breaker](super::breaker), which learns how it went. One that failed to read
//! opens it only when a probe fails as well: no single object, and no single moment, keeps readers from
//! all the others. While a breaker is open, a probe runs beside everything else.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use object_store::{ObjectStore, PutOptions, PutPayload};

use super::{
    Direction, Remote,
    breaker::{Breaker, IsOpen, Pass},
    figures::{S3Request, S3Requests},
    inscription::OWNER,
};
use crate::{
    error::{Error, Result},
    s3::Fault,
};

/// What a probe writes. It reads the object that names the owner, which is there without a right to
/// list, and this one when that cannot be read itself.
const PROBE: &str = "appliance-probe";
/// An S3 that takes longer to begin a small answer is silent: readers are told to come back.
const ANSWERS_WITHIN: Duration = Duration::from_secs(4);

impl Remote {
    fn breaker(&self, direction: Direction) -> &Breaker {
        match direction {
            Direction::Read => &self.reads,
            Direction::Write | Direction::Delete => &self.writes,
        }
    }

    pub(super) fn admit(&self, direction: Direction) -> Result<Pass> {
        self.breaker(direction).admit().map_err(|open| unavailable(direction, open))
    }

    /// Asks for something, once more when the first answer was an error that others do not get: it may
    /// have been a moment. Who waits for a silent S3 is told as soon as anybody has found out.
    ///
    /// # Errors
    /// `Busy` while S3 is away. The inner one is about what was asked for.
    pub(super) async fn read<T, F>(
        self: &Arc<Self>,
        pass: Pass,
        request: impl Fn() -> F,
    ) -> Result<Result<T, Fault>>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let asking = async {
            match self.judged(Direction::Read, pass, request().await).await? {
                Err(fault) if fault.is_outage() => {
                    self.judged(Direction::Read, pass, request().await).await
                }
                asked => Ok(asked),
            }
        };
        tokio::select! {
            asked = asking => asked,
            () = self.reads.opens() => Err(self.busy(Direction::Read)),
            fault = self.falls_silent() => {
                self.note_outage(Direction::Read, pass, &fault);
                Err(self.busy(Direction::Read))
            }
        }
    }

    /// Ends when S3 answers neither who has waited for a while nor a probe.
    async fn falls_silent(&self) -> Fault {
        loop {
            tokio::time::sleep(ANSWERS_WITHIN).await;
            if let Err(fault) = self.probe(Direction::Read).await {
                return fault;
            }
        }
    }

    /// Tells the breaker how a request went. What says nothing about S3 itself is given back.
    pub(super) async fn judged<T>(
        self: &Arc<Self>,
        direction: Direction,
        pass: Pass,
        outcome: object_store::Result<T>,
    ) -> Result<Result<T, Fault>> {
        let fault = match outcome {
            Ok(value) => {
                self.count(direction, true);
                return Ok(Ok(value));
            }
            Err(error) => Fault::of(&error),
        };
        if !fault.is_outage() || (direction == Direction::Delete && fault.is_refusal()) {
            self.count(direction, true);
            return Ok(Err(fault));
        }
        // It may be this one object that is broken or locked: then the others can still be read.
        if direction == Direction::Read && self.probe(Direction::Read).await.is_ok() {
            self.count(direction, false);
            return Ok(Err(fault));
        }
        self.note_outage(direction, pass, &fault);
        Err(self.busy(direction))
    }

    /// What is said to somebody whose request has shown that S3 is away.
    pub(super) fn busy(&self, direction: Direction) -> Error {
        let open = self.breaker(direction).admit().err();
        unavailable(direction, open.unwrap_or(IsOpen { retry_after_s: 1 }))
    }

    pub fn requests(&self) -> S3Requests {
        self.requests.clone()
    }

    fn count(&self, direction: Direction, went_well: bool) {
        self.requests.get_or_create(&S3Request::of(direction, went_well)).inc();
    }

    pub(super) fn note_outage(self: &Arc<Self>, direction: Direction, pass: Pass, fault: &Fault) {
        self.count(direction, false);
        if self.breaker(direction).failed(pass, fault.text.clone()) {
            let store = self.name();
            match direction {
                Direction::Read => {
                    tracing::warn!(
                        "{store} cannot be read; only files on this machine can: {}",
                        fault.text
                    );
                }
                Direction::Write | Direction::Delete => {
                    tracing::warn!(
                        "{store} takes no files; they wait on this machine: {}",
                        fault.text
                    );
                }
            }
            tokio::spawn(probe_until_it_works(Arc::downgrade(self), direction));
        }
    }

    /// Does what has failed, with an object that matters to nobody.
    pub(super) async fn probe(&self, direction: Direction) -> Result<(), Fault> {
        let outcome = match direction {
            Direction::Read => tokio::time::timeout(ANSWERS_WITHIN, self.probe_reading())
                .await
                .unwrap_or_else(|_| {
                    let seconds = ANSWERS_WITHIN.as_secs();
                    Err(Fault::of_silence(format!("there is no answer within {seconds} seconds")))
                }),
            Direction::Write | Direction::Delete => {
                let probe = PutPayload::from_static(b"probe");
                let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
                let put = self.store.put_opts(&self.full_key(PROBE), probe, options).await;
                put.map(drop).map_err(|error| Fault::of(&error))
            }
        };
        match outcome {
            Err(fault) if direction != Direction::Read || fault.is_outage() => Err(fault),
            _ => Ok(()),
        }
    }

    async fn probe_reading(&self) -> Result<(), Fault> {
        match self.probe_object(OWNER).await {
            Err(fault) if fault.is_outage() && fault.may_be_of_one_object() => {
                self.probe_object(PROBE).await
            }
            outcome => outcome,
        }
    }

    async fn probe_object(&self, name: &str) -> Result<(), Fault> {
        let found = self.look_at(&self.full_key(name)).await;
        found.map(drop).map_err(|error| Fault::of(&error))
    }
}

/// Runs beside everything else while a breaker is open, so that no reader has to be the one who
/// waits. Ends with the last handle.
async fn probe_until_it_works(remote: Weak<Remote>, direction: Direction) {
    loop {
        let probe_at = remote.upgrade().and_then(|remote| remote.breaker(direction).probe_at());
        let Some(probe_at) = probe_at else { return };
        tokio::time::sleep_until(probe_at.into()).await;
        let Some(remote) = remote.upgrade() else { return };
        let breaker = remote.breaker(direction);
        match remote.probe(direction).await {
            Ok(()) => {
                let since = breaker.probe_succeeded().map(|since| since.to_string());
                tracing::info!(since, "{} works again", remote.name());
                return;
            }
            Err(fault) => breaker.probe_failed(fault.text),
        }
    }
}

/// For the user; the operator finds the reason in the log and the status.
fn unavailable(direction: Direction, open: IsOpen) -> Error {
    let message = match direction {
        Direction::Read => {
            "This file cannot be read at the moment, because the file storage does not answer. It \
             is not lost: try again in a minute."
        }
        Direction::Write | Direction::Delete => {
            "The file storage takes no files at the moment. Try again in a minute."
        }
    };
    Error::Busy { message: message.to_owned(), retry_after_s: open.retry_after_s }
}
