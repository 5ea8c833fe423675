//! The names of all settings, in the file and in the environment, and what each may be.

use toml::Value;

use super::{
    Config,
    checks::{
        is_bucket, is_log_directive, is_origin, is_prefix, is_secure_address, is_storage_class,
        is_word,
    },
    https::{is_directory, is_domain, is_email, is_host_pattern},
};

/// A setting as the configuration file names it.
#[derive(Debug)]
pub struct Key {
    /// With the section in front: `store.cache_mb`.
    pub path: &'static str,
    pub kind: Kind,
    /// What belongs there; ends the sentence "It must be …".
    pub expects: &'static str,
    is_valid: fn(&Config) -> bool,
}

/// How the text of a variable or a flag becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    /// `true` or `false`.
    Switch,
    /// Separated by commas.
    List,
}

const fn key(path: &'static str, kind: Kind, expects: &'static str) -> Key {
    Key { path, kind, expects, is_valid: |_| true }
}

const fn text(path: &'static str, expects: &'static str) -> Key {
    key(path, Kind::Text, expects)
}

const fn number(path: &'static str, expects: &'static str) -> Key {
    key(path, Kind::Number, expects)
}

const fn switch(path: &'static str) -> Key {
    key(path, Kind::Switch, "true or false")
}

const fn list(path: &'static str, expects: &'static str) -> Key {
    key(path, Kind::List, expects)
}

impl Key {
    /// Where not every value of the kind will do.
    const fn when(self, is_valid: fn(&Config) -> bool) -> Key {
        Key { is_valid, ..self }
    }
}

/// Every setting, in the order of the template.
pub const KEYS: &[Key] = &[
    text("listen", "an address with a port, such as 127.0.0.1:8080 or [::]:8080"),
    text("listen_https", "an address with a port, such as 0.0.0.0:443, or empty"),
    text("data", "the path of a folder").when(|config| !config.data.as_os_str().is_empty()),
    text(
        "public_url",
        "an address such as https://docs.example.com, without anything after the name",
    )
    .when(|config| config.public_url.as_deref().is_none_or(is_origin)),
    list(
        "trusted_proxies",
        "a list of addresses without a port, or of networks, such as 10.0.0.7 or 10.0.0.0/16",
    ),
    switch("proxy_protocol"),
    list(
        "allowed_hosts",
        "a list of names in lower case without a port, such as docs.example.com, *.example.com \
         or 10.0.0.7",
    )
    .when(|config| config.allowed_hosts.iter().all(|host| is_host_pattern(host))),
    list("https.domains", "a list of names in lower case, such as docs.example.com")
        .when(|config| config.https.domains.iter().all(|domain| is_domain(domain))),
    text("https.email", "an e-mail address, or empty").when(|config| is_email(&config.https.email)),
    text("https.acme", "letsencrypt, staging, off, or the https:// address of a directory")
        .when(|config| is_directory(&config.https.acme)),
    text("https.challenge", "auto, http-01 or tls-alpn-01"),
    text("https.ca_file", "the path of a file"),
    text("https.certificate_file", "the path of a file"),
    text("https.key_file", "the path of a file"),
    number("limits.connections", "a number from 16 to 1000000")
        .when(|config| (16..=1_000_000).contains(&config.limits.connections)),
    number("limits.connections_per_address", "a number from 1 to 1000000")
        .when(|config| (1..=1_000_000).contains(&config.limits.connections_per_address)),
    number("limits.requests_per_second", "a number from 0 to 1000000")
        .when(|config| config.limits.requests_per_second <= 1_000_000),
    number("limits.head_seconds", "a number of seconds from 1 to 600")
        .when(|config| (1..=600).contains(&config.limits.head_seconds)),
    number("limits.idle_seconds", "a number of seconds from 1 to 3600")
        .when(|config| (1..=3_600).contains(&config.limits.idle_seconds)),
    number("store.cache_mb", "a number of megabytes from 1 to 1048576")
        .when(|config| (1..=1 << 20).contains(&config.store.cache_mb)),
    number("uploads.stall_seconds", "a number of seconds from 1 to 3600")
        .when(|config| (1..=3600).contains(&config.uploads.stall_seconds)),
    number("backups.stall_seconds", "a number of seconds from 1 to 86400")
        .when(|config| (1..=86_400).contains(&config.backups.stall_seconds)),
    text("storage.backend", "disk or s3"),
    text("storage.delivery", "redirect or proxy"),
    number("storage.link_minutes", "a number of minutes from 1 to 10080 (seven days)")
        .when(|config| (1..=10_080).contains(&config.storage.link_minutes)),
    number("storage.reserve_mb", "a number of megabytes from 0 to 1048576")
        .when(|config| config.storage.reserve_mb <= 1 << 20),
    number("storage.spool_mb", "a number of megabytes from 1 to 1073741824")
        .when(|config| (1..=1 << 30).contains(&config.storage.spool_mb)),
    number("storage.cache_mb", "a number of megabytes from 0 to 1073741824")
        .when(|config| config.storage.cache_mb <= 1 << 30),
    number("storage.parts_in_flight", "a number from 1 to 64")
        .when(|config| (1..=64).contains(&config.storage.parts_in_flight)),
    number("storage.scrub_days", "a number of days from 0 to 3650")
        .when(|config| (0..=3_650).contains(&config.storage.scrub_days)),
    number("storage.scrub_hour", "an hour of the day from 0 to 23")
        .when(|config| (0..=23).contains(&config.storage.scrub_hour)),
    text(
        "storage.s3.bucket",
        "the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens",
    )
    .when(|config| is_bucket(&config.storage.s3.bucket)),
    text("storage.s3.prefix", "a path without a slash at its ends, such as portal/files")
        .when(|config| is_prefix(&config.storage.s3.prefix)),
    text("storage.s3.region", "the name of a region, such as eu-central-1")
        .when(|config| is_word(&config.storage.s3.region)),
    text(
        "storage.s3.endpoint",
        "an address such as https://s3.example.com, without anything after the name",
    )
    .when(|config| config.storage.s3.endpoint.is_empty() || is_origin(&config.storage.s3.endpoint)),
    switch("storage.s3.path_style"),
    text("storage.s3.encryption", "none, AES256 or aws:kms"),
    text("storage.s3.kms_key", "the id or ARN of a key")
        .when(|config| is_word(&config.storage.s3.kms_key)),
    text(
        "storage.s3.storage_class",
        "the name of a class whose files can be read at once, such as STANDARD_IA",
    )
    .when(|config| is_storage_class(&config.storage.s3.storage_class)),
    text("storage.s3.access_key_id", "the id of an access key")
        .when(|config| is_word(&config.storage.s3.access_key_id)),
    text("storage.s3.secret_access_key", "the secret of an access key, on one line")
        .when(|config| is_word(config.storage.s3.secret_access_key.reveal())),
    text("storage.s3.secret_access_key_file", "the path of a file"),
    text("storage.s3.ca_file", "the path of a file"),
    switch("storage.s3.allow_http"),
    number("worker.jobs", "a number from 1 to 64")
        .when(|config| (1..=64).contains(&config.worker.jobs)),
    number("worker.memory_mb", "a number of megabytes from 64 to 65536")
        .when(|config| (64..=1 << 16).contains(&config.worker.memory_mb)),
    number("worker.seconds", "a number of seconds from 1 to 3600")
        .when(|config| (1..=3600).contains(&config.worker.seconds)),
    switch("worker.allow_unsandboxed"),
    number("audit.keep_days", "a number of days from 1 to 36500")
        .when(|config| (1..=36_500).contains(&config.audit.keep_days)),
    text("update.url", "the address of a folder that begins with https://, or empty")
        .when(|config| config.update.url.is_empty() || is_secure_address(&config.update.url)),
    text("update.public_key", "a public key of “appliance release keygen”, or empty")
        .when(|config| is_word(&config.update.public_key)),
    text("metrics.token", "at least 16 letters, digits and signs without a space, or empty").when(
        |config| {
            let token = config.metrics.token.reveal();
            is_word(token) && (token.is_empty() || token.len() >= 16)
        },
    ),
    text(
        "log.level",
        "off, error, warn, info, debug or trace, or a list such as info,appliance::store=debug",
    )
    .when(|config| config.log.level.split(',').all(is_log_directive)),
    text("log.format", "auto, human or json"),
];

impl Key {
    pub fn find(path: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// The key whose name is near enough to what somebody typed, with or without its section.
    pub fn nearest(typed: &str) -> Option<&'static str> {
        let paths = || KEYS.iter().map(|key| key.path);
        let own_name = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
        let named = |name| paths().find(|path| own_name(path) == name);
        let by_own_name = || named(nearest(typed, paths().map(own_name))?);
        named(typed).or_else(|| nearest(typed, paths())).or_else(by_own_name)
    }

    /// `APPLIANCE_STORE_CACHE_MB` for `store.cache_mb`.
    pub fn variable(&self) -> String {
        format!("APPLIANCE_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// What somebody wrote for it, as a value; a text where that does not fit, which is refused later.
    pub fn value(&self, text: &str) -> Value {
        match self.kind {
            Kind::Text => Value::String(text.into()),
            Kind::Number => text.trim().parse().map_or(Value::String(text.into()), Value::Integer),
            Kind::Switch => text.trim().parse().map_or(Value::String(text.into()), Value::Boolean),
            Kind::List => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.into())).collect())
            }
        }
    }

    /// Whether the value of this key makes sense; what type it is, the struct says.
    pub fn is_valid(&self, config: &Config) -> bool {
        (self.is_valid)(config)
    }
}

/// True for the name of a `[section]`.
pub(super) fn is_section(path: &str) -> bool {
    let begins = |key: &Key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    KEYS.iter().any(begins)
}

/// The name that somebody may have meant, if one is near enough.
pub(super) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(typed, name), name)).min()?;
    // A third of the letters wrong is no typing error any more.
    (near.0 <= typed.chars().count().div_ceil(3)).then_some(near.1)
}

/// How many letters must be put in, taken out or replaced (Levenshtein 1966).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_name_that_was_meant() {
        let names = || KEYS.iter().map(|key| key.path);
        assert_eq!(nearest("lisen", names()), Some("listen"));
        assert_eq!(nearest("store.cahce_mb", names()), Some("store.cache_mb"));
        assert_eq!(nearest("database", names()), None);
    }
}
