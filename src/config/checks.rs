//! What a text must look like to be the value of a setting.

/// Scheme and host, perhaps a port, and nothing after.
pub(super) fn is_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains(|c: char| "/?#@\\".contains(c) || c.is_whitespace())
    })
}

/// With a host; a path may follow, and nothing else.
pub(super) fn is_secure_address(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.contains(|c: char| "?#@\\".contains(c) || c.is_whitespace())
    })
}

/// The rules of Amazon, which all providers share.
pub(super) fn is_bucket(name: &str) -> bool {
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    name.is_empty()
        || (3..=63).contains(&bytes.len())
            && bytes.iter().all(|&byte| is_edge(byte) || byte == b'-' || byte == b'.')
            && is_edge(bytes[0])
            && is_edge(bytes[bytes.len() - 1])
}

/// Only what needs no encoding in an address.
pub(super) fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    prefix.is_empty() || prefix.split('/').all(is_part)
}

/// Or nothing; never several words or lines.
pub(super) fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// From the archives, hours pass until a file can be read.
pub(super) fn is_storage_class(class: &str) -> bool {
    let is_name = class.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_name && !["GLACIER", "DEEP_ARCHIVE"].contains(&class)
}

/// A level, or `module=level`. The log's own parser would take a misspelled level for a module.
pub(super) fn is_log_directive(directive: &str) -> bool {
    let level = match directive.trim().rsplit_once('=') {
        Some(("", _)) => return false,
        Some((_, level)) => level,
        None => directive.trim(),
    };
    ["off", "error", "warn", "info", "debug", "trace"]
        .contains(&level.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_log_level_is_not_taken_for_a_module() {
        assert!(is_log_directive("info"));
        assert!(is_log_directive("appliance::store=debug"));
        assert!(!is_log_directive("inof"));
        assert!(!is_log_directive("appliance::store=debgu"));
        assert!(!is_log_directive(""));
    }
}
