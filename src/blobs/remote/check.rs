//! Whether everything works that the portal needs of S3, step by step; what does not is named with
//! the setting or the permission that mends it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
    multipart::MultipartStore,
    path::Path as Key,
    signer::{Method, SignedUrlOptions, Signer},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Remote;
use crate::s3::Fault;

const CONTENT: &[u8] = b"Appliance looks whether it can use this storage.";
const NAME: &str = "attachment; filename*=UTF-8''%C3%A9%E0%B7%83%E6%96%87.txt";

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStep {
    /// Such as "Write a file".
    pub what: Cow<'static, str>,
    /// What Amazon's policies call it.
    pub permission: Cow<'static, str>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Works,
    /// The portal works without it; a sentence says what is lost.
    Missing(String),
    Fails {
        /// What to do: a sentence that names the setting or permission.
        advice: String,
        /// What S3 said, for the operator.
        detail: String,
    },
    /// An earlier step failed that this one needs.
    Skipped,
}

/// A step went wrong: S3 said so, or what came back was wrong.
enum Wrong {
    Fault(Fault),
    Answer(String),
}

impl From<object_store::Error> for Wrong {
    fn from(error: object_store::Error) -> Self {
        Wrong::Fault(Fault::of(&error))
    }
}

impl Remote {
    /// Tries everything with objects of its own, past the breakers.
    pub async fn check(self: &Arc<Self>) -> Vec<CheckStep> {
        let key = self.full_key(&format!("appliance-check-{}", Uuid::new_v4()));
        let mut steps = Steps { remote: self, steps: Vec::new() };

        let written = steps.take("Write a file", "s3:PutObject", self.check_write(&key).await);
        let reading = [
            ("Read a file", "s3:GetObject"),
            ("Read a part of a file", "s3:GetObject"),
            ("Download by a link", "s3:GetObject"),
            ("List files", "s3:ListBucket"),
            ("Tell a missing file", "s3:ListBucket"),
            ("Upload in parts", "s3:PutObject and s3:AbortMultipartUpload"),
            ("List unfinished uploads", "s3:ListBucketMultipartUploads"),
            ("Delete a file", "s3:DeleteObject"),
        ];
        if !written {
            for (what, permission) in reading {
                steps.note(what, permission, Outcome::Skipped);
            }
            return steps.steps;
        }
        let outcomes = [
            self.check_read(&key, None).await,
            self.check_read(&key, Some(10..19)).await,
            self.check_link(&key).await,
            self.check_list(&key).await,
            self.check_missing().await,
            self.check_parts(&key).await,
            self.check_uploads().await,
            self.check_delete(&key).await,
        ];
        for ((what, permission), outcome) in reading.into_iter().zip(outcomes) {
            steps.take(what, permission, outcome);
        }
        steps.steps
    }

    async fn check_write(&self, key: &Key) -> Result<(), Wrong> {
        let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
        self.store.put_opts(key, PutPayload::from_static(CONTENT), options).await?;
        Ok(())
    }

    async fn check_read(
        &self,
        key: &Key,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<(), Wrong> {
        let wanted = match &range {
            Some(range) => &CONTENT[range.start as usize..range.end as usize],
            None => CONTENT,
        };
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let read = self.store.get_opts(key, options).await?.bytes().await?;
        same(&read, wanted)
    }

    /// As a browser would: without our credentials.
    async fn check_link(&self, key: &Key) -> Result<(), Wrong> {
        let options = SignedUrlOptions::default().with_query([
            ("response-content-disposition", NAME),
            ("response-content-type", "text/plain; charset=utf-8"),
        ]);
        let url =
            self.store.signed_url_opts(Method::GET, key, Duration::from_secs(60), &options).await?;
        let connection = |fault: reqwest::Error| Wrong::Fault(Fault::of_connection(&fault));
        let answer = self.http.get(url).send().await.map_err(connection)?;
        let status = answer.status();
        let name = answer.headers().get("content-disposition").cloned();
        let body = answer.bytes().await.map_err(connection)?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            return Err(Wrong::Fault(Fault::of_answer(status.as_u16(), &text)));
        }
        same(&body, CONTENT)?;
        match name.is_some_and(|name| name.as_bytes() == NAME.as_bytes()) {
            true => Ok(()),
            false => Err(Wrong::Answer(
                "This S3 does not give downloads a name. Set storage.delivery to \"proxy\"."
                    .to_owned(),
            )),
        }
    }

    async fn check_list(&self, key: &Key) -> Result<(), Wrong> {
        let (folder, _) = key.as_ref().rsplit_once('/').unwrap_or_default();
        let folder = (!folder.is_empty()).then(|| Key::from(folder));
        let listed = self.store.list_with_delimiter(folder.as_ref()).await?;
        match listed.objects.iter().any(|object| object.location == *key) {
            true => Ok(()),
            false => Err(Wrong::Answer("The list lacks a file that is there.".to_owned())),
        }
    }

    /// Without the right to list, S3 answers 403 for what is not there, which says nothing.
    async fn check_missing(&self) -> Result<(), Wrong> {
        let nowhere = self.full_key(&format!("appliance-check-{}", Uuid::new_v4()));
        match self.store.head(&nowhere).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Wrong::Answer("S3 has a file that nobody has written.".to_owned())),
        }
    }

    async fn check_parts(&self, key: &Key) -> Result<(), Wrong> {
        let options =
            PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
        let id = self.store.create_multipart_opts(key, options).await?;
        let part = self.store.put_part(key, &id, 0, PutPayload::from_static(CONTENT)).await;
        self.store.abort_multipart(key, &id).await?;
        part?;
        Ok(())
    }

    async fn check_uploads(&self) -> Result<(), Wrong> {
        let query = [("uploads", ""), ("max-uploads", "1")];
        let url = self.signed(Method::GET, &Key::default(), &query).await?;
        match self.ask(url).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(Wrong::Fault(fault)),
        }
    }

    async fn check_delete(&self, key: &Key) -> Result<(), Wrong> {
        self.delete_key(key).await?;
        match self.store.head(key).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Wrong::Answer("A deleted file is still there.".to_owned())),
        }
    }
}

struct Steps<'a> {
    remote: &'a Remote,
    steps: Vec<CheckStep>,
}

impl Steps<'_> {
    /// Notes how a step went; `true` when it works.
    fn take(
        &mut self,
        what: &'static str,
        permission: &'static str,
        outcome: Result<(), Wrong>,
    ) -> bool {
        let is_optional = permission == "s3:ListBucketMultipartUploads";
        let outcome = match outcome {
            Ok(()) => Outcome::Works,
            Err(Wrong::Fault(fault)) if is_optional && !fault.is_silence() => {
                let why = match fault.is_not_implemented() {
                    true => "This S3 cannot list them".to_owned(),
                    false => format!("{permission} is not granted"),
                };
                Outcome::Missing(format!(
                    "{why}: let a rule of the bucket abort unfinished uploads after some days."
                ))
            }
            Err(Wrong::Fault(fault)) => Outcome::Fails {
                advice: fault.advice(permission, &self.resource(permission)),
                detail: fault.text,
            },
            Err(Wrong::Answer(advice)) => Outcome::Fails { advice, detail: String::new() },
        };
        let works = outcome == Outcome::Works;
        self.note(what, permission, outcome);
        works
    }

    fn note(&mut self, what: &'static str, permission: &'static str, outcome: Outcome) {
        let (what, permission) = (what.into(), permission.into());
        self.steps.push(CheckStep { what, permission, outcome });
    }

    /// As a policy names it.
    fn resource(&self, permission: &str) -> String {
        let config = &self.remote.config;
        match (permission.starts_with("s3:ListBucket"), config.prefix.as_str()) {
            (true, _) => format!("arn:aws:s3:::{}", config.bucket),
            (false, "") => format!("arn:aws:s3:::{}/*", config.bucket),
            (false, prefix) => format!("arn:aws:s3:::{}/{prefix}/*", config.bucket),
        }
    }
}

fn same(found: &Bytes, wanted: &[u8]) -> Result<(), Wrong> {
    match found.as_ref() == wanted {
        true => Ok(()),
        false => Err(Wrong::Answer(
            "Other bytes came back than were written. Look for a proxy in between.".to_owned(),
        )),
    }
}
