//! Whether everything works that the portal needs of S3, step by step; what does not is named with
//! the setting or the permission that mends it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    GetOptions, GetRange, MultipartId, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload,
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
    /// An earlier step failed without which this one cannot be tried.
    Skipped,
}

/// A step went wrong: S3 said so, or what came back was wrong.
enum Wrong {
    Fault(Fault),
    /// In a step that needs several permissions, where it was this one's turn.
    Lacks(&'static str, Fault),
    Answer(String),
}

impl From<object_store::Error> for Wrong {
    fn from(error: object_store::Error) -> Self {
        Wrong::Fault(Fault::of(&error))
    }
}

/// Blames one permission.
fn lacks(permission: &'static str) -> impl Fn(object_store::Error) -> Wrong {
    move |error| Wrong::Lacks(permission, Fault::of(&error))
}

impl Remote {
    /// Tries everything with objects of its own, past the breakers.
    pub async fn check(self: &Arc<Self>) -> Vec<CheckStep> {
        let key = self.full_key(&format!("appliance-check-{}", Uuid::new_v4()));
        let written = self.check_write(&key).await;
        let is_there = written.is_ok();
        // What is not allowed says nothing about the rest; what does not answer does.
        let goes_on = match &written {
            Ok(()) => true,
            Err(Wrong::Fault(fault)) => fault.code == "AccessDenied",
            Err(_) => false,
        };
        let (write, read) = ("s3:PutObject", "s3:GetObject");
        let in_parts = "s3:PutObject and s3:AbortMultipartUpload";
        let uploads = "s3:ListBucketMultipartUploads";
        let part = Some(10..19);
        let listed = is_there.then_some(&key);
        let tried = [
            ("Write a file", write, Some(written)),
            ("Read a file", read, only_if(is_there, self.check_read(&key, None)).await),
            ("Read a part of a file", read, only_if(is_there, self.check_read(&key, part)).await),
            ("Download by a link", read, only_if(is_there, self.check_link(&key)).await),
            ("List files", "s3:ListBucket", only_if(goes_on, self.check_list(listed)).await),
            ("Tell a missing file", "s3:ListBucket", only_if(goes_on, self.check_missing()).await),
            ("Upload in parts", in_parts, only_if(goes_on, self.check_parts(&key)).await),
            ("List unfinished uploads", uploads, only_if(goes_on, self.check_uploads()).await),
            ("Delete a file", "s3:DeleteObject", only_if(goes_on, self.check_delete(&key)).await),
        ];
        let steps = tried.into_iter().map(|(what, permission, tried)| CheckStep {
            what: what.into(),
            permission: permission.into(),
            outcome: self.outcome(permission, tried),
        });
        steps.collect()
    }

    /// As the object is written that names the owner: on the condition that there is none, where S3
    /// knows that condition.
    async fn check_write(&self, key: &Key) -> Result<(), Wrong> {
        let written = match self.put_content(key, PutMode::Create).await {
            Err(fault) if fault.is_not_implemented() => {
                self.put_content(key, PutMode::Overwrite).await
            }
            written => written,
        };
        match written {
            // A first try arrived, and its answer was lost.
            Err(fault) if fault.is_conflict() => Ok(()),
            written => written.map_err(Wrong::Fault),
        }
    }

    async fn put_content(&self, key: &Key, mode: PutMode) -> Result<(), Fault> {
        let options = PutOptions { mode, attributes: self.attributes(), ..PutOptions::default() };
        let put = self.store.put_opts(key, PutPayload::from_static(CONTENT), options).await;
        put.map(drop).map_err(|error| Fault::of(&error))
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

    /// As a browser would: without our credentials. The link ends soon, so that a clock that is slow
    /// shows itself.
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

    /// `wanted` is a file that is there, if there is one.
    async fn check_list(&self, wanted: Option<&Key>) -> Result<(), Wrong> {
        let root = Some(Key::from(self.config.prefix.as_str())).filter(|root| !root.is_root());
        let listed = self.store.list_with_delimiter(root.as_ref()).await?;
        let is_listed = |key: &Key| listed.objects.iter().any(|object| object.location == *key);
        match wanted.is_none_or(is_listed) {
            true => Ok(()),
            false => Err(Wrong::Answer("The list lacks a file that is there.".to_owned())),
        }
    }

    /// Without the right to list, S3 answers 403 for what is not there, which says nothing.
    async fn check_missing(&self) -> Result<(), Wrong> {
        let nowhere = self.full_key(&format!("appliance-check-{}", Uuid::new_v4()));
        match self.look_at(&nowhere).await.map_err(|error| Fault::of(&error)) {
            Err(fault) if fault.is_missing_object() && !fault.is_outage() => Ok(()),
            Err(fault) => Err(Wrong::Fault(fault)),
            Ok(_) => Err(Wrong::Answer("S3 has a file that nobody has written.".to_owned())),
        }
    }

    /// One that is completed, and one that is not.
    async fn check_parts(&self, key: &Key) -> Result<(), Wrong> {
        let with_checksums = self.parts_have_checksums();
        match self.complete_parts(key).await {
            // The first one has shown how this S3 takes them.
            Err(_) if with_checksums != self.parts_have_checksums() => {
                self.complete_parts(key).await?;
            }
            completed => completed?,
        }
        let id = self.begin_parts(key).await?;
        let aborted = self.store.abort_multipart(key, &id).await;
        aborted.map_err(lacks("s3:AbortMultipartUpload"))
    }

    async fn complete_parts(&self, key: &Key) -> Result<(), Wrong> {
        let id = self.begin_parts(key).await?;
        let completing = async {
            let part = self.send_part(key, &id, 0, Bytes::from_static(CONTENT)).await?;
            self.sending.complete_multipart(key, &id, vec![part]).await
        };
        if let Err(error) = completing.await {
            // Whatever comes of that: the first thing that is wrong is told.
            drop(self.store.abort_multipart(key, &id).await);
            return Err(lacks("s3:PutObject")(error));
        }
        Ok(())
    }

    async fn begin_parts(&self, key: &Key) -> Result<MultipartId, Wrong> {
        let options =
            PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
        let begun = self.store.create_multipart_opts(key, options).await;
        begun.map_err(lacks("s3:PutObject"))
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
        match self.look_at(key).await.map_err(|error| Fault::of(&error)) {
            // Who may not list is not told that it is missing; there is a step for that.
            Err(fault) if fault.is_missing_object() || fault.is_refusal() => Ok(()),
            Err(fault) => Err(Wrong::Fault(fault)),
            Ok(_) => Err(Wrong::Answer("A deleted file is still there.".to_owned())),
        }
    }

    /// `tried` is `None` when the step could not be.
    fn outcome(&self, permission: &'static str, tried: Option<Result<(), Wrong>>) -> Outcome {
        let is_optional = permission == "s3:ListBucketMultipartUploads";
        let fails = |permission, fault: Fault| Outcome::Fails {
            advice: fault.advice(permission, &self.resource(permission)),
            detail: fault.text,
        };
        match tried {
            None => Outcome::Skipped,
            Some(Ok(())) => Outcome::Works,
            Some(Err(Wrong::Fault(fault))) if is_optional && !fault.is_silence() => {
                let why = match fault.is_not_implemented() {
                    true => "This S3 cannot list them".to_owned(),
                    false => format!("{permission} is not granted"),
                };
                Outcome::Missing(format!(
                    "{why}: let a rule of the bucket abort unfinished uploads after some days."
                ))
            }
            Some(Err(Wrong::Fault(fault))) => fails(permission, fault),
            Some(Err(Wrong::Lacks(permission, fault))) => fails(permission, fault),
            Some(Err(Wrong::Answer(advice))) => Outcome::Fails { advice, detail: String::new() },
        }
    }

    /// As a policy names it.
    fn resource(&self, permission: &str) -> String {
        let config = &self.config;
        match (permission.starts_with("s3:ListBucket"), config.prefix.as_str()) {
            (true, _) => format!("arn:aws:s3:::{}", config.bucket),
            (false, "") => format!("arn:aws:s3:::{}/*", config.bucket),
            (false, prefix) => format!("arn:aws:s3:::{}/{prefix}/*", config.bucket),
        }
    }
}

async fn only_if(
    is_possible: bool,
    step: impl Future<Output = Result<(), Wrong>>,
) -> Option<Result<(), Wrong>> {
    match is_possible {
        true => Some(step.await),
        false => None,
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
