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

/// Every setting, in the order of the template.
pub const KEYS: &[Key] = &[
    Key {
        path: "listen",
        kind: Kind::Text,
        expects: "an address with a port, such as 127.0.0.1:8080 or [::]:8080",
        is_valid: |_| true,
    },
    Key {
        path: "listen_https",
        kind: Kind::Text,
        expects: "an address with a port, such as 0.0.0.0:443, or empty",
        is_valid: |_| true,
    },
    Key {
        path: "data",
        kind: Kind::Text,
        expects: "the path of a folder",
        is_valid: |config| !config.data.as_os_str().is_empty(),
    },
    Key {
        path: "public_url",
        kind: Kind::Text,
        expects: "an address such as https://docs.example.com, without anything after the name",
        is_valid: |config| config.public_url.as_deref().is_none_or(is_origin),
    },
    Key {
        path: "trusted_proxies",
        kind: Kind::List,
        expects: "a list of addresses without a port, such as 10.0.0.7",
        is_valid: |_| true,
    },
    Key {
        path: "proxy_protocol",
        kind: Kind::Switch,
        expects: "true or false",
        is_valid: |_| true,
    },
    Key {
        path: "allowed_hosts",
        kind: Kind::List,
        expects: "a list of names in lower case without a port, such as docs.example.com, *.example.com or 10.0.0.7",
        is_valid: |config| config.allowed_hosts.iter().all(|host| is_host_pattern(host)),
    },
    Key {
        path: "https.domains",
        kind: Kind::List,
        expects: "a list of names in lower case, such as docs.example.com",
        is_valid: |config| config.https.domains.iter().all(|domain| is_domain(domain)),
    },
    Key {
        path: "https.email",
        kind: Kind::Text,
        expects: "an e-mail address, or empty",
        is_valid: |config| is_email(&config.https.email),
    },
    Key {
        path: "https.acme",
        kind: Kind::Text,
        expects: "letsencrypt, staging, off, or the https:// address of a directory",
        is_valid: |config| is_directory(&config.https.acme),
    },
    Key {
        path: "https.challenge",
        kind: Kind::Text,
        expects: "auto, http-01 or tls-alpn-01",
        is_valid: |_| true,
    },
    Key {
        path: "https.ca_file",
        kind: Kind::Text,
        expects: "the path of a file",
        is_valid: |_| true,
    },
    Key {
        path: "https.certificate_file",
        kind: Kind::Text,
        expects: "the path of a file",
        is_valid: |_| true,
    },
    Key {
        path: "https.key_file",
        kind: Kind::Text,
        expects: "the path of a file",
        is_valid: |_| true,
    },
    Key {
        path: "limits.connections",
        kind: Kind::Number,
        expects: "a number from 16 to 1000000",
        is_valid: |config| (16..=1_000_000).contains(&config.limits.connections),
    },
    Key {
        path: "limits.connections_per_address",
        kind: Kind::Number,
        expects: "a number from 1 to 1000000",
        is_valid: |config| (1..=1_000_000).contains(&config.limits.connections_per_address),
    },
    Key {
        path: "limits.requests_per_second",
        kind: Kind::Number,
        expects: "a number from 0 to 1000000",
        is_valid: |config| config.limits.requests_per_second <= 1_000_000,
    },
    Key {
        path: "limits.head_seconds",
        kind: Kind::Number,
        expects: "a number of seconds from 1 to 600",
        is_valid: |config| (1..=600).contains(&config.limits.head_seconds),
    },
    Key {
        path: "limits.idle_seconds",
        kind: Kind::Number,
        expects: "a number of seconds from 1 to 3600",
        is_valid: |config| (1..=3_600).contains(&config.limits.idle_seconds),
    },
    Key {
        path: "store.cache_mb",
        kind: Kind::Number,
        expects: "a number of megabytes from 1 to 1048576",
        is_valid: |config| (1..=1 << 20).contains(&config.store.cache_mb),
    },
    Key {
        path: "uploads.stall_seconds",
        kind: Kind::Number,
        expects: "a number of seconds from 1 to 3600",
        is_valid: |config| (1..=3600).contains(&config.uploads.stall_seconds),
    },
    Key { path: "storage.backend", kind: Kind::Text, expects: "disk or s3", is_valid: |_| true },
    Key {
        path: "storage.delivery",
        kind: Kind::Text,
        expects: "redirect or proxy",
        is_valid: |_| true,
    },
    Key {
        path: "storage.link_minutes",
        kind: Kind::Number,
        expects: "a number of minutes from 1 to 10080 (seven days)",
        is_valid: |config| (1..=10_080).contains(&config.storage.link_minutes),
    },
    Key {
        path: "storage.reserve_mb",
        kind: Kind::Number,
        expects: "a number of megabytes from 0 to 1048576",
        is_valid: |config| config.storage.reserve_mb <= 1 << 20,
    },
    Key {
        path: "storage.spool_mb",
        kind: Kind::Number,
        expects: "a number of megabytes from 1 to 1073741824",
        is_valid: |config| (1..=1 << 30).contains(&config.storage.spool_mb),
    },
    Key {
        path: "storage.cache_mb",
        kind: Kind::Number,
        expects: "a number of megabytes from 0 to 1073741824",
        is_valid: |config| config.storage.cache_mb <= 1 << 30,
    },
    Key {
        path: "storage.parts_in_flight",
        kind: Kind::Number,
        expects: "a number from 1 to 64",
        is_valid: |config| (1..=64).contains(&config.storage.parts_in_flight),
    },
    Key {
        path: "storage.scrub_days",
        kind: Kind::Number,
        expects: "a number of days from 0 to 3650",
        is_valid: |config| (0..=3_650).contains(&config.storage.scrub_days),
    },
    Key {
        path: "storage.scrub_hour",
        kind: Kind::Number,
        expects: "an hour of the day from 0 to 23",
        is_valid: |config| (0..=23).contains(&config.storage.scrub_hour),
    },
    Key {
        path: "storage.s3.bucket",
        kind: Kind::Text,
        expects: "the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens",
        is_valid: |config| is_bucket(&config.storage.s3.bucket),
    },
    Key {
        path: "storage.s3.prefix",
        kind: Kind::Text,
        expects: "a path without a slash at its ends, such as portal/files",
        is_valid: |config| is_prefix(&config.storage.s3.prefix),
    },
    Key {
        path: "storage.s3.region",
        kind: Kind::Text,
        expects: "the name of a region, such as eu-central-1",
        is_valid: |config| is_word(&config.storage.s3.region),
    },
    Key {
        path: "storage.s3.endpoint",
        kind: Kind::Text,
        expects: "an address such as https://s3.example.com, without anything after the name",
        is_valid: |config| {
            config.storage.s3.endpoint.is_empty() || is_origin(&config.storage.s3.endpoint)
        },
    },
    Key {
        path: "storage.s3.path_style",
        kind: Kind::Switch,
        expects: "true or false",
        is_valid: |_| true,
    },
    Key {
        path: "storage.s3.encryption",
        kind: Kind::Text,
        expects: "none, AES256 or aws:kms",
        is_valid: |_| true,
    },
    Key {
        path: "storage.s3.kms_key",
        kind: Kind::Text,
        expects: "the id or ARN of a key",
        is_valid: |config| is_word(&config.storage.s3.kms_key),
    },
    Key {
        path: "storage.s3.storage_class",
        kind: Kind::Text,
        expects: "the name of a class whose files can be read at once, such as STANDARD_IA",
        is_valid: |config| is_storage_class(&config.storage.s3.storage_class),
    },
    Key {
        path: "storage.s3.access_key_id",
        kind: Kind::Text,
        expects: "the id of an access key",
        is_valid: |config| is_word(&config.storage.s3.access_key_id),
    },
    Key {
        path: "storage.s3.secret_access_key",
        kind: Kind::Text,
        expects: "the secret of an access key, on one line",
        is_valid: |config| is_word(config.storage.s3.secret_access_key.reveal()),
    },
    Key {
        path: "storage.s3.secret_access_key_file",
        kind: Kind::Text,
        expects: "the path of a file",
        is_valid: |_| true,
    },
    Key {
        path: "storage.s3.ca_file",
        kind: Kind::Text,
        expects: "the path of a file",
        is_valid: |_| true,
    },
    Key {
        path: "storage.s3.allow_http",
        kind: Kind::Switch,
        expects: "true or false",
        is_valid: |_| true,
    },
    Key {
        path: "worker.jobs",
        kind: Kind::Number,
        expects: "a number from 1 to 64",
        is_valid: |config| (1..=64).contains(&config.worker.jobs),
    },
    Key {
        path: "worker.memory_mb",
        kind: Kind::Number,
        expects: "a number of megabytes from 64 to 65536",
        is_valid: |config| (64..=1 << 16).contains(&config.worker.memory_mb),
    },
    Key {
        path: "worker.seconds",
        kind: Kind::Number,
        expects: "a number of seconds from 1 to 3600",
        is_valid: |config| (1..=3600).contains(&config.worker.seconds),
    },
    Key {
        path: "worker.allow_unsandboxed",
        kind: Kind::Switch,
        expects: "true or false",
        is_valid: |_| true,
    },
    Key {
        path: "audit.keep_days",
        kind: Kind::Number,
        expects: "a number of days from 1 to 36500",
        is_valid: |config| (1..=36_500).contains(&config.audit.keep_days),
    },
    Key {
        path: "update.url",
        kind: Kind::Text,
        expects: "the address of a folder that begins with https://, or empty",
        is_valid: |config| config.update.url.is_empty() || is_secure_address(&config.update.url),
    },
    Key {
        path: "update.public_key",
        kind: Kind::Text,
        expects: "a public key of “appliance release keygen”, or empty",
        is_valid: |config| is_word(&config.update.public_key),
    },
    Key {
        path: "metrics.token",
        kind: Kind::Text,
        expects: "at least 16 letters, digits and signs without a space, or empty",
        is_valid: |config| {
            let token = config.metrics.token.reveal();
            is_word(token) && (token.is_empty() || token.len() >= 16)
        },
    },
    Key {
        path: "log.level",
        kind: Kind::Text,
        expects: "off, error, warn, info, debug or trace, or a list such as info,appliance::store=debug",
        is_valid: |config| config.log.level.split(',').all(is_log_directive),
    },
    Key {
        path: "log.format",
        kind: Kind::Text,
        expects: "auto, human or json",
        is_valid: |_| true,
    },
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
