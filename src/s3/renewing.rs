//! Credentials that end. What is at hand is taken at once. Fetching others takes time, so it goes on
//! beside everything else while the last ones serve; and so they do when whoever hands them out is away,
//! until S3 itself refuses them.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use object_store::{
    CredentialProvider,
    aws::{AwsCredential, AwsCredentialProvider},
};

use super::Fault;

/// After a failed try the next one waits: each may take seconds, and every request asks.
const PAUSE: Duration = Duration::from_secs(10);
/// After so long they are asked for anew, however long they were to last: they may have been taken back
/// or exchanged, and a machine that slept counts wrong.
const TRUSTED_FOR: Duration = Duration::from_secs(300);

/// Makes a source that remembers what it hands out until shortly before that ends.
type Make = Box<dyn Fn() -> object_store::Result<AwsCredentialProvider> + Send + Sync>;
type Fetched = Result<Arc<AwsCredential>, NoCredentials>;

pub(super) struct Renewing(Arc<Office>);

struct Office {
    make: Make,
    trusted_for: Duration,
    state: Mutex<State>,
}

struct State {
    source: AwsCredentialProvider,
    made_at: Instant,
    last: Option<Arc<AwsCredential>>,
    failed_at: Option<Instant>,
    /// Under way: nobody begins another one.
    fetching: Option<Shared<BoxFuture<'static, Fetched>>>,
}

/// Whoever hands out credentials gave none. An error of S3 may have it as a source, and says nothing about
/// S3 then, whatever its text looks like.
#[derive(Clone, Debug)]
pub(super) struct NoCredentials(String);

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are no credentials: {}", self.0)
    }
}

impl std::error::Error for NoCredentials {}

impl Renewing {
    /// # Errors
    /// Those of `make`.
    pub fn new(
        make: impl Fn() -> object_store::Result<AwsCredentialProvider> + Send + Sync + 'static,
    ) -> object_store::Result<Self> {
        Renewing::trusting(Box::new(make), TRUSTED_FOR)
    }

    fn trusting(make: Make, trusted_for: Duration) -> object_store::Result<Self> {
        let state = Mutex::new(State {
            source: make()?,
            made_at: Instant::now(),
            last: None,
            failed_at: None,
            fetching: None,
        });
        Ok(Renewing(Arc::new(Office { make, trusted_for, state })))
    }
}

impl Office {
    async fn credential(self: &Arc<Self>) -> Fetched {
        let (last, fetching) = {
            let mut state = self.state();
            let is_pause = state.failed_at.is_some_and(|at| at.elapsed() < PAUSE);
            match &state.last {
                Some(last) if is_pause || state.fetching.is_some() => return Ok(Arc::clone(last)),
                last => {
                    (last.clone(), state.fetching.get_or_insert_with(|| self.fetching()).clone())
                }
            }
        };
        let Some(last) = last else { return fetching.await };
        match fetching.clone().now_or_never() {
            Some(fetched) => fetched.or(Ok(last)),
            None => {
                tokio::spawn(fetching);
                Ok(last)
            }
        }
    }

    fn fetching(self: &Arc<Self>) -> Shared<BoxFuture<'static, Fetched>> {
        let office = Arc::clone(self);
        let fetching = async move {
            let fetched = match office.source() {
                Ok(source) => source.get_credential().await,
                Err(error) => Err(error),
            };
            let fetched = fetched.map_err(|error| NoCredentials(Fault::of(&error).text));
            office.note(&fetched);
            fetched
        };
        fetching.boxed().shared()
    }

    fn source(&self) -> object_store::Result<AwsCredentialProvider> {
        let mut state = self.state();
        if state.made_at.elapsed() >= self.trusted_for {
            state.source = (self.make)()?;
            state.made_at = Instant::now();
        }
        Ok(Arc::clone(&state.source))
    }

    fn note(&self, fetched: &Fetched) {
        let mut state = self.state();
        state.fetching = None;
        match fetched {
            Ok(credential) => {
                state.last = Some(Arc::clone(credential));
                state.failed_at = None;
            }
            Err(error) => {
                if state.last.is_some() && state.failed_at.is_none() {
                    tracing::warn!(
                        "the credentials for S3 cannot be renewed; the last ones are used as long as \
                         they are good: {error}"
                    );
                }
                state.failed_at = Some(Instant::now());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewing")
    }
}

/// Written out: the trait is made by a macro that is not among our dependencies.
impl CredentialProvider for Renewing {
    type Credential = AwsCredential;

    fn get_credential<'me, 'future>(
        &'me self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'future>>
    where
        'me: 'future,
        Self: 'future,
    {
        Box::pin(async {
            let fetched = self.0.credential().await;
            fetched.map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: Box::new(error),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Hands out one key for each permit, and numbers them.
    #[derive(Debug)]
    struct Counter {
        permits: Semaphore,
        asked: AtomicUsize,
    }

    impl CredentialProvider for Counter {
        type Credential = AwsCredential;

        fn get_credential<'me, 'future>(
            &'me self,
        ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'future>>
        where
            'me: 'future,
            Self: 'future,
        {
            Box::pin(async {
                let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
                self.permits.acquire().await.expect("open").forget();
                let (key_id, secret_key) = (number.to_string(), String::new());
                Ok(Arc::new(AwsCredential { key_id, secret_key, token: None }))
            })
        }
    }

    fn office(permits: usize, trusted_for: Duration) -> (Renewing, Arc<Counter>, Arc<AtomicUsize>) {
        let permits = Semaphore::new(permits);
        let counter = Arc::new(Counter { permits, asked: AtomicUsize::new(0) });
        let (source, made) = (Arc::clone(&counter), Arc::new(AtomicUsize::new(0)));
        let makes = Arc::clone(&made);
        let make = move || {
            makes.fetch_add(1, Ordering::SeqCst);
            Ok(Arc::clone(&source) as AwsCredentialProvider)
        };
        (Renewing::trusting(Box::new(make), trusted_for).expect("a source"), counter, made)
    }

    async fn key(renewing: &Renewing) -> String {
        renewing.get_credential().await.expect("a key").key_id.clone()
    }

    #[tokio::test]
    async fn while_a_key_is_fetched_the_last_one_serves() {
        let (renewing, counter, _) = office(1, TRUSTED_FOR);
        assert_eq!(key(&renewing).await, "1");
        for _ in 0..3 {
            assert_eq!(key(&renewing).await, "1");
        }
        assert_eq!(counter.asked.load(Ordering::SeqCst), 2, "one fetch is under way");
        counter.permits.add_permits(1);
        while key(&renewing).await == "1" {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_comes_before_the_first_key_waits_for_the_same_fetch() {
        let (renewing, counter, _) = office(0, TRUSTED_FOR);
        let (one, other, _) = tokio::join!(key(&renewing), key(&renewing), async {
            tokio::task::yield_now().await;
            counter.permits.add_permits(1);
        });
        assert_eq!((one.as_str(), other.as_str()), ("1", "1"));
    }

    #[tokio::test]
    async fn after_a_while_no_source_is_trusted_to_know_that_a_key_is_still_good() {
        for (trusted_for, wanted) in [(TRUSTED_FOR, 1), (Duration::ZERO, 4)] {
            let (renewing, _, made) = office(3, trusted_for);
            for _ in 0..3 {
                key(&renewing).await;
            }
            assert_eq!(made.load(Ordering::SeqCst), wanted, "{trusted_for:?}");
        }
    }
}
