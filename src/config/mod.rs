//! What must be known before the portal runs. What an administrator changes later is in
//! [`settings`](crate::domain::settings).
//!
//! A setting comes from the first of these that names it: a flag, an `APPLIANCE_*` variable of the
//! environment, the configuration file, the default. [`load`] puts them together and is strict: a
//! name that it does not know, in the file or in the environment, is an error.
//!
//! `template.toml` is the manual. To add a setting, touch the struct, [`KEYS`] and the template;
//! `tests/it/config.rs` tells when one of them was forgotten.

mod checks;
mod editing;
mod https;
mod keys;
mod loading;
mod network;
mod storage;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Deserializer, Serialize};

pub use self::{
    editing::set,
    https::{ChallengeChoice, HttpsConfig, is_domain, is_email},
    keys::{KEYS, Key},
    loading::{Flags, Loaded, Origin, Problems, SYSTEM_FILE, Sources, load},
    network::Network,
    storage::{Backend, Delivery, Encryption, S3Config, Secret, StorageConfig},
};

/// The commented configuration file: every key with its default.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Every key of the configuration file; a key that is not here is an error that names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen for HTTP.
    pub listen: SocketAddr,
    /// Where to listen for HTTPS, if at all.
    #[serde(deserialize_with = "empty_is_no_address")]
    pub listen_https: Option<SocketAddr>,
    /// The folder that holds the whole instance.
    pub data: PathBuf,
    /// The address that people use, such as `https://docs.example.com`: for links that leave the
    /// portal. Without it, the address of the request.
    #[serde(deserialize_with = "empty_is_none")]
    pub public_url: Option<String>,
    /// Proxies whose word about the client's address is taken, by their addresses or networks.
    pub trusted_proxies: Vec<Network>,
    /// Whether those begin each connection with the PROXY protocol.
    pub proxy_protocol: bool,
    /// The names that the portal answers to. When empty: its domains, or any while it has none.
    pub allowed_hosts: Vec<String>,
    pub https: HttpsConfig,
    pub limits: LimitsConfig,
    pub store: StoreConfig,
    pub uploads: UploadsConfig,
    pub backups: BackupsConfig,
    pub storage: StorageConfig,
    pub worker: WorkerConfig,
    pub audit: AuditConfig,
    pub update: UpdateConfig,
    pub metrics: MetricsConfig,
    pub log: LogConfig,
}

/// How much of the server one client and all together may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Open at the same time, in all.
    pub connections: u32,
    pub connections_per_address: u32,
    /// Of one address, over a longer time; 0 is any number.
    pub requests_per_second: u32,
    /// How long the head of a request, or what TLS needs before it, may take to arrive.
    pub head_seconds: u32,
    /// How long a connection may stay without a request, or a reader without taking anything.
    pub idle_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Memory for the pages of the database file.
    pub cache_mb: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupsConfig {
    /// After so long a backup is ended of which its reader takes nothing.
    pub stall_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadsConfig {
    /// After so long without a byte an upload is ended.
    pub stall_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// How many jobs run at the same time.
    pub jobs: u32,
    /// How much memory the reading of one file may take.
    pub memory_mb: u32,
    /// How long the reading of one file may take.
    pub seconds: u32,
    /// Whether files are read also where the kernel has no seccomp.
    pub allow_unsandboxed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// How long the audit log remembers what happened.
    pub keep_days: u32,
}

/// Where new versions come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateConfig {
    /// The address of a folder with releases; empty when there is none.
    pub url: String,
    /// Whose signature counts, instead of the key that the program was built with.
    pub public_key: String,
}

/// Who may read `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Whoever sends it may. When empty: this machine, and nobody else.
    pub token: Secret,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or a filter such as `info,appliance::store=debug`.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    Human,
    Json,
}

impl Config {
    /// Whether the word of a proxy with this address is taken.
    pub fn trusts(&self, proxy: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(proxy))
    }

    /// What does not fit together, as sentences; each names a key.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.storage.problems();
        problems.extend(self.https.problems());
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            problems.push(
                "trusted_proxies is missing: proxy_protocol is spoken with the proxies that it names."
                    .into(),
            );
        }
        problems
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            listen_https: None,
            data: PathBuf::from("data"),
            public_url: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            allowed_hosts: Vec::new(),
            https: HttpsConfig::default(),
            limits: LimitsConfig::default(),
            store: StoreConfig::default(),
            uploads: UploadsConfig::default(),
            backups: BackupsConfig::default(),
            storage: StorageConfig::default(),
            worker: WorkerConfig::default(),
            audit: AuditConfig::default(),
            update: UpdateConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            connections: 10_000,
            connections_per_address: 256,
            requests_per_second: 1_000,
            head_seconds: 15,
            idle_seconds: 60,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig { cache_mb: 64 }
    }
}

impl Default for BackupsConfig {
    fn default() -> Self {
        BackupsConfig { stall_seconds: 600 }
    }
}

impl Default for UploadsConfig {
    fn default() -> Self {
        UploadsConfig { stall_seconds: 60 }
    }
}

impl Default for WorkerConfig {
    fn default() -> Self {
        WorkerConfig { jobs: 2, memory_mb: 1024, seconds: 30, allow_unsandboxed: false }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        AuditConfig { keep_days: 730 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { level: "info".into(), format: LogFormat::Auto }
    }
}

/// TOML has no word for "none".
fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn empty_is_no_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = empty_is_none(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}
