//! Uploads in parts that a killed run left in a bucket. Nothing shows them but a listing of their own,
//! which not every server has, and they are paid for until somebody ends them.

use std::time::Duration;

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};
use object_store::{
    aws::AmazonS3,
    multipart::MultipartStore,
    path::Path as Address,
    signer::{Method, SignedUrlOptions, Signer},
};

use super::{Repository, folder::FOLDERS};
use crate::{
    error::{Error, Result},
    s3::{Fault, tag},
};

/// Pages of a listing: a thousand uploads each.
const PAGES_MAX: usize = 100;
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// A server refuses requests from a clock that is further away than this from its own.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);
/// Nobody writes one object for longer.
const UNFINISHED_FOR: SignedDuration = SignedDuration::from_hours(24);
const LINK_LIVES: Duration = Duration::from_secs(60);

/// A bucket as only its own client knows it.
#[derive(Clone, Debug)]
pub(in crate::backup) struct Uploads {
    pub store: AmazonS3,
    pub http: reqwest::Client,
    /// Of the place in the bucket, without slashes around it.
    pub prefix: String,
}

impl Repository {
    /// Ends uploads that nobody will complete. Without others at work those are all that were begun
    /// before this run. That a server cannot tell of any is fine; so is that it does not allow it.
    pub(super) async fn end_abandoned_uploads(&self, is_alone: bool, now: Timestamp) {
        let Some(uploads) = &self.objects.uploads else { return };
        let cutoff = now - if is_alone { CLOCKS_APART } else { UNFINISHED_FOR };
        match uploads.end_begun_before(cutoff).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "ended uploads that a killed backup left behind"),
            Err(fault) => tracing::warn!("uploads in parts cannot be ended: {}", fault.chain()),
        }
    }
}

impl Uploads {
    async fn end_begun_before(&self, cutoff: Timestamp) -> Result<u64> {
        let mut ended = 0;
        let mut markers = (String::new(), String::new());
        for _ in 0..PAGES_MAX {
            let Some(page) = self.page(&markers).await? else { break };
            for upload in page.split("<Upload>").skip(1) {
                let begun_at: Option<Timestamp> = tag(upload, "Initiated").parse().ok();
                let (key, id) = (tag(upload, "Key"), tag(upload, "UploadId"));
                if begun_at.is_some_and(|at| at < cutoff) && self.is_ours(&key) {
                    self.store
                        .abort_multipart(&Address::from(key), &id)
                        .await
                        .map_err(|fault| Error::Internal(fault.into()))?;
                    ended += 1;
                }
            }
            if tag(&page, "IsTruncated") != "true" {
                break;
            }
            markers = (tag(&page, "NextKeyMarker"), tag(&page, "NextUploadIdMarker"));
        }
        Ok(ended)
    }

    /// One page of the listing; `None` when the server has no such thing or does not allow it.
    async fn page(&self, (key_marker, id_marker): &(String, String)) -> Result<Option<String>> {
        let prefix = self.below("");
        let mut query = vec![("uploads", ""), ("prefix", prefix.as_str())];
        if !key_marker.is_empty() {
            query.extend([("key-marker", &**key_marker), ("upload-id-marker", &**id_marker)]);
        }
        let options = SignedUrlOptions::default().with_query(query);
        let url = self
            .store
            .signed_url_opts(Method::GET, &Address::default(), LINK_LIVES, &options)
            .await
            .map_err(|fault| Error::Internal(fault.into()))?;
        let unreachable =
            |fault: reqwest::Error| Error::Internal(anyhow!(Fault::of_connection(&fault).text));
        let mut answer = self.http.get(url).send().await.map_err(unreachable)?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let mut page = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            page.extend(piece);
            if page.len() > ANSWER_BYTES_MAX {
                return Ok(None);
            }
        }
        Ok(String::from_utf8(page).ok())
    }

    fn is_ours(&self, key: &str) -> bool {
        FOLDERS.iter().any(|folder| key.starts_with(&self.below(&format!("{folder}/"))))
    }

    fn below(&self, path: &str) -> String {
        match self.prefix.as_str() {
            "" => path.into(),
            prefix => format!("{prefix}/{path}"),
        }
    }
}
