//! Where files rest: on this machine's disk, or on S3 and whatever speaks it.

use std::{env, fmt, path::PathBuf};

use serde::{Deserialize, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Where new files go. Those in the other place stay readable while it is configured.
    pub backend: Backend,
    /// How a download of a file on S3 reaches the reader.
    pub delivery: Delivery,
    /// How long a link to a file on S3 works.
    pub link_minutes: u32,
    /// Free disk space that is kept, for what makes room again.
    pub reserve_mb: u32,
    /// How much may wait on the disk while S3 is away.
    pub spool_mb: u32,
    /// Disk for copies of files that were read from S3; 0 keeps none.
    pub cache_mb: u32,
    /// Pieces of files on their way to S3 at the same time; each takes 8 MiB of memory or more.
    pub parts_in_flight: u32,
    /// Within so many days every file is read again and compared; 0 is never.
    pub scrub_days: u32,
    /// The hour of the day, UTC, at which that begins.
    pub scrub_hour: u32,
    pub s3: S3Config,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    Disk,
    S3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The browser fetches it from S3 with a link that soon ends.
    Redirect,
    /// Through the portal.
    Proxy,
}

/// A bucket and how to reach it. What is empty is not set. Backups reach theirs in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    pub bucket: String,
    /// In front of every key.
    pub prefix: String,
    pub region: String,
    /// Of a server other than Amazon's.
    pub endpoint: String,
    /// The bucket in the path, not in the name of the host.
    pub path_style: bool,
    pub encryption: Encryption,
    /// For `aws:kms`; empty is the account's own key for S3.
    pub kms_key: String,
    pub storage_class: String,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub secret_access_key_file: PathBuf,
    /// Certificates in PEM that are trusted beside the system's.
    pub ca_file: PathBuf,
    /// Whether an endpoint may begin with `http://`.
    pub allow_http: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// What the bucket does by itself.
    #[serde(rename = "none")]
    None,
    #[serde(rename = "AES256")]
    Aes256,
    #[serde(rename = "aws:kms")]
    Kms,
}

/// A text that is shown nowhere.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Default for StorageConfig {
    fn default() -> Self {
        StorageConfig {
            backend: Backend::Disk,
            delivery: Delivery::Redirect,
            link_minutes: 5,
            reserve_mb: 512,
            spool_mb: 20_480,
            cache_mb: 2_048,
            parts_in_flight: 4,
            scrub_days: 30,
            scrub_hour: 1,
            s3: S3Config::default(),
        }
    }
}

impl Default for S3Config {
    fn default() -> Self {
        S3Config {
            bucket: String::new(),
            prefix: String::new(),
            region: String::new(),
            endpoint: String::new(),
            path_style: false,
            encryption: Encryption::None,
            kms_key: String::new(),
            storage_class: String::new(),
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            secret_access_key_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            allow_http: false,
        }
    }
}

impl S3Config {
    pub fn is_configured(&self) -> bool {
        !self.bucket.is_empty()
    }

    /// The setting, else the variable that other programs read too. Only Amazon needs to know it.
    pub fn region(&self) -> Option<String> {
        let named = [self.region.clone(), variable("AWS_REGION"), variable("AWS_DEFAULT_REGION")];
        let named = named.into_iter().find(|region| !region.is_empty());
        named.or_else(|| (!self.endpoint.is_empty()).then(|| "us-east-1".to_owned()))
    }
}

impl StorageConfig {
    /// What does not fit together, as sentences; each names a key.
    pub(super) fn problems(&self) -> Vec<String> {
        let s3 = &self.s3;
        let mut problems = Vec::new();
        let mut refuse = |is_wrong: bool, sentence: &str| {
            if is_wrong {
                problems.push(sentence.to_owned());
            }
        };
        if !s3.is_configured() && self.backend == Backend::S3 {
            refuse(
                true,
                "storage.s3.bucket is missing. Name the bucket that holds the files, or set \
                 storage.backend to \"disk\".",
            );
            return problems;
        }
        // Without a bucket they are for backups, if there are any.
        if *s3 == S3Config::default() {
            return problems;
        }
        refuse(
            s3.region().is_none(),
            "storage.s3.region is missing. Name the region of the bucket, such as eu-central-1, \
             or with another provider than Amazon its storage.s3.endpoint.",
        );
        refuse(
            s3.endpoint.starts_with("http://") && !s3.allow_http,
            "storage.s3.endpoint begins with http://, so files and their names would travel \
             readable for everybody. Use https://, or set storage.s3.allow_http to true.",
        );
        let has_secret = !s3.secret_access_key.is_empty();
        let has_secret_file = !s3.secret_access_key_file.as_os_str().is_empty();
        refuse(
            has_secret && has_secret_file,
            "Both storage.s3.secret_access_key and storage.s3.secret_access_key_file are set. \
             Remove one of them.",
        );
        refuse(
            !s3.access_key_id.is_empty() && !has_secret && !has_secret_file,
            "storage.s3.secret_access_key is missing: it belongs to storage.s3.access_key_id.",
        );
        refuse(
            s3.access_key_id.is_empty() && (has_secret || has_secret_file),
            "storage.s3.access_key_id is missing: it belongs to storage.s3.secret_access_key.",
        );
        refuse(
            !s3.kms_key.is_empty() && s3.encryption != Encryption::Kms,
            "storage.s3.kms_key is set, but not used: set storage.s3.encryption to \"aws:kms\" or \
             remove it.",
        );
        problems
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

impl Secret {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "hidden" })
    }
}

impl Serialize for Secret {
    /// Says only whether there is one.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "********" })
    }
}
