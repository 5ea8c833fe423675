//! Credentials that end: a role's are renewed minutes before they do. When whoever hands them out is
//! away in those minutes, the last ones go on being used until S3 itself refuses them.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use object_store::{
    CredentialProvider, Result,
    aws::{AwsCredential, AwsCredentialProvider},
};
use tokio::sync::Mutex;

/// After a failed try the next one waits: each may take seconds, and every request asks.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Renewing {
    source: AwsCredentialProvider,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    known: Option<Arc<AwsCredential>>,
    failed_at: Option<Instant>,
}

impl Renewing {
    pub fn new(source: AwsCredentialProvider) -> Self {
        Renewing { source, last: Mutex::default() }
    }

    async fn credential(&self) -> Result<Arc<AwsCredential>> {
        let mut last = self.last.lock().await;
        if let (Some(known), Some(failed_at)) = (&last.known, last.failed_at)
            && failed_at.elapsed() < PAUSE
        {
            return Ok(Arc::clone(known));
        }
        match (self.source.get_credential().await, last.known.clone()) {
            (Ok(credential), _) => {
                *last = Last { known: Some(Arc::clone(&credential)), failed_at: None };
                Ok(credential)
            }
            (Err(error), Some(known)) => {
                if last.failed_at.is_none() {
                    tracing::warn!(
                        "the credentials for S3 cannot be renewed; the last ones are used as long as \
                         they are good: {error}"
                    );
                }
                last.failed_at = Some(Instant::now());
                Ok(known)
            }
            (Err(error), None) => Err(error),
        }
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
    ) -> Pin<Box<dyn Future<Output = Result<Arc<AwsCredential>>> + Send + 'future>>
    where
        'me: 'future,
        Self: 'future,
    {
        Box::pin(self.credential())
    }
}
