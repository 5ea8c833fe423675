//! A client for S3 and whatever speaks it, made of the settings; whoever asks decides how long it
//! tries. Files ([`blobs`](crate::blobs)) and [`backup`](crate::backup)s share it.

mod credentials;
mod fault;
mod renewing;

use std::{env, fs, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum},
};

pub use self::fault::{Fault, tag};
use self::{credentials::Found, renewing::Renewing};
use crate::{
    config::{Encryption, S3Config},
    error::{Error, Result},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Until an answer begins, and between two pieces of it; a whole body may take as long as it needs.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The same for a request that brings a file: the time in which its body leaves counts as well, and
/// several share the line. Four pieces of 8 MiB pass through 1 Mbit/s in it.
const SENDING_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Variables of a role; those of a key are read in [`credentials`].
const ROLE_VARIABLES: [&str; 8] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
];

/// How often and how long a request is tried again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    retries_max: usize,
    retry_timeout: Duration,
}

impl Patience {
    /// For who has somebody waiting.
    pub const SHORT: Patience = Patience { retries_max: 1, retry_timeout: Duration::from_secs(10) };
    /// For what goes on for hours and should not end with one bad minute.
    pub const LONG: Patience = Patience { retries_max: 6, retry_timeout: Duration::from_secs(60) };
}

#[derive(Debug)]
pub struct Clients {
    pub store: AmazonS3,
    /// For requests that bring a file or a part of one: they may take minutes.
    pub sending: AmazonS3,
    /// The same for an S3 that takes no part with a checksum. The signature covers the SHA-256 of the
    /// body in any case.
    pub sending_without_checksum: AmazonS3,
    /// For the few requests that `object_store` does not know.
    pub http: reqwest::Client,
}

/// Reads the settings; S3 itself is not asked, so it may be away.
///
/// # Errors
/// `Invalid` with a sentence that names the setting.
pub fn connect(config: &S3Config, patience: Patience) -> Result<Clients> {
    connect_in(config, patience, &|name| env::var(name).ok())
}

/// [`connect`] in another environment, which tells the value of a variable.
pub fn connect_in(
    config: &S3Config,
    patience: Patience,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Clients> {
    let certificates = read_certificates(config)?;
    let found = credentials::find(config, environment)?;
    let options = |timeout| client_options(config, &certificates, timeout);
    let builder = builder(config, found, options(READ_TIMEOUT), patience, environment)
        .with_context(|| format!("opening the bucket {}", config.bucket))?;
    let build = |builder: AmazonS3Builder| builder.build().context("making a client for S3");
    // The server compares it with what arrived, of every object and every part.
    let checking = builder.clone().with_checksum_algorithm(Checksum::SHA256);
    let store = build(checking.clone())?;
    let sending = build(checking.with_client_options(options(SENDING_TIMEOUT)))?;
    let sending_without_checksum = build(builder.with_client_options(options(SENDING_TIMEOUT)))?;
    let mut http = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    for (_, certificate) in certificates {
        http = http.add_root_certificate(certificate);
    }
    let http = http.build().context("making a client for S3")?;
    Ok(Clients { store, sending, sending_without_checksum, http })
}

/// The certificates of `ca_file`, for both clients.
fn read_certificates(config: &S3Config) -> Result<Vec<(Certificate, reqwest::Certificate)>> {
    let path = &config.ca_file;
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |reason: String| {
        Error::invalid(format!("storage.s3.ca_file: {} {reason}.", path.display()))
    };
    let pem = fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let no_pem = |reason: &dyn std::fmt::Display| {
        refuse(format!("does not hold certificates in PEM: {reason}"))
    };
    let ours = Certificate::from_pem_bundle(&pem).map_err(|error| no_pem(&error))?;
    let plain = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| no_pem(&error))?;
    if ours.is_empty() {
        return Err(no_pem(&"there is none"));
    }
    Ok(ours.into_iter().zip(plain).collect())
}

fn client_options(
    config: &S3Config,
    certificates: &[(Certificate, reqwest::Certificate)],
    read_timeout: Duration,
) -> ClientOptions {
    let options = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(read_timeout)
        .with_timeout_disabled();
    certificates.iter().fold(options, |options, (certificate, _)| {
        options.with_root_certificate(certificate.clone())
    })
}

fn builder(
    config: &S3Config,
    found: Found,
    options: ClientOptions,
    patience: Patience,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<AmazonS3Builder> {
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: Duration::from_millis(100), ..Default::default() },
        max_retries: patience.retries_max,
        retry_timeout: patience.retry_timeout,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(config.region().unwrap_or_default())
        .with_virtual_hosted_style_request(!config.path_style)
        .with_client_options(options)
        .with_retry(retry)
        // One object at a time, as every provider knows it.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = endpoint(config) {
        builder = builder.with_endpoint(endpoint);
    }
    let encryption = match config.encryption {
        Encryption::None => None,
        Encryption::Aes256 => Some("AES256"),
        Encryption::Kms => Some("aws:kms"),
    };
    let key = (!config.kms_key.is_empty()).then_some(config.kms_key.as_str());
    let settings = [("aws_server_side_encryption", encryption), ("aws_sse_kms_key_id", key)];
    for (name, value) in settings {
        if let Some(value) = value {
            let name = AmazonS3ConfigKey::from_str(name).context("naming a setting")?;
            builder = builder.with_config(name, value);
        }
    }
    match found {
        Found::Key { id, secret, token } => {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            if let Some(token) = token {
                builder = builder.with_token(token);
            }
        }
        Found::Role => {
            for name in ROLE_VARIABLES {
                let key = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase());
                if let (Some(value), Ok(key)) = (environment(name), key) {
                    builder = builder.with_config(key, value);
                }
            }
            let source = builder.clone();
            let make = move || Ok(Arc::clone(source.clone().build()?.credentials()));
            let renewing = Renewing::new(make).context("making a client for credentials")?;
            builder = builder.with_credentials(Arc::new(renewing));
        }
    }
    Ok(builder)
}

/// Where the bucket is, unless it is Amazon's: `object_store` wants its name in the host already.
fn endpoint(config: &S3Config) -> Option<String> {
    let endpoint = config.endpoint.trim_end_matches('/');
    match (endpoint.split_once("://"), config.path_style) {
        (None, _) => None,
        (Some(_), true) => Some(endpoint.to_owned()),
        (Some((scheme, host)), false) => Some(format!("{scheme}://{}.{host}", config.bucket)),
    }
}
