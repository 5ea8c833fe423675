//! Uploads in parts that nobody will complete: a process died before it could note the id. Their
//! parts are paid for and shown by no listing of objects, only by one of their own, which not every
//! server has.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use object_store::path::Path as Key;
use object_store::signer::Method;

use super::{Direction, Remote, failed};
use crate::{
    blobs::layout::FileName,
    error::Result,
    hash::ContentHash,
    s3::{Fault, tag},
};

/// Pages of a listing: a thousand uploads each.
const PAGES_MAX: usize = 100;

struct Begun {
    key: String,
    id: String,
    initiated_at: Option<Timestamp>,
}

impl Remote {
    /// Aborts uploads of ours that were begun before the cutoff, but for those that have gone on since.
    /// Returns how many; a server that cannot list them has none as far as we know.
    pub async fn abort_abandoned(self: &Arc<Self>, cutoff: Timestamp) -> Result<u64> {
        let noted = self.all_noted().await?.into_iter();
        let going_on: BTreeSet<ContentHash> =
            noted.filter(|(_, at)| *at >= cutoff).map(|(hash, _)| hash).collect();
        let mut aborted = 0;
        let mut markers = (String::new(), String::new());
        for _ in 0..PAGES_MAX {
            let Some(page) = self.begun_uploads(&markers).await? else { break };
            for upload in begun(&page) {
                let is_old = upload.initiated_at.is_some_and(|at| at < cutoff);
                let is_left = |hash| !going_on.contains(&hash);
                if is_old && self.blob_of(&upload.key).is_some_and(is_left) {
                    self.abort(&Key::from(upload.key), upload.id).await?;
                    aborted += 1;
                }
            }
            if tag(&page, "IsTruncated") != "true" {
                break;
            }
            markers = (tag(&page, "NextKeyMarker"), tag(&page, "NextUploadIdMarker"));
        }
        Ok(aborted)
    }

    /// One page of the listing; `None` when the server has no such thing.
    async fn begun_uploads(
        self: &Arc<Self>,
        (key_marker, id_marker): &(String, String),
    ) -> Result<Option<String>> {
        let pass = self.admit(Direction::Delete)?;
        let prefix = match self.config.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let mut query = vec![("uploads", ""), ("prefix", prefix.as_str())];
        if !key_marker.is_empty() {
            query.extend([
                ("key-marker", key_marker.as_str()),
                ("upload-id-marker", id_marker.as_str()),
            ]);
        }
        let signed = self.signed(Method::GET, &Key::default(), &query).await;
        let url = self
            .judged(Direction::Delete, pass, signed)
            .await?
            .map_err(|fault| failed(fault, || "signing a request".to_owned()))?;
        match self.ask(url).await {
            Ok(page) => Ok(Some(page)),
            // Some servers do not know the request, some do not allow it.
            Err(fault) if !fault.is_silence() => {
                tracing::debug!("uploads in parts cannot be listed: {}", fault.text);
                Ok(None)
            }
            Err(fault) => Err(failed(fault, || "listing uploads in parts".to_owned())),
        }
    }

    /// The body of a successful answer.
    pub(super) async fn ask(&self, url: object_store::signer::Url) -> Result<String, Fault> {
        let answer =
            self.http.get(url).send().await.map_err(|fault| Fault::of_connection(&fault))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|fault| Fault::of_connection(&fault))?;
        match status.is_success() {
            true => Ok(body),
            false => Err(Fault::of_answer(status.as_u16(), &body)),
        }
    }

    /// The blob to which we would give this key.
    fn blob_of(&self, key: &str) -> Option<ContentHash> {
        let name = key.rsplit('/').next()?.parse::<FileName>().ok()?;
        (self.key(name.hash).as_ref() == key).then_some(name.hash)
    }
}

/// Our keys need no escaping in XML, and others do not matter.
fn begun(page: &str) -> impl Iterator<Item = Begun> {
    page.split("<Upload>").skip(1).map(|upload| Begun {
        key: tag(upload, "Key"),
        id: tag(upload, "UploadId"),
        initiated_at: tag(upload, "Initiated").parse().ok(),
    })
}
