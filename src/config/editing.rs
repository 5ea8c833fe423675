//! Changes one setting in the text of a configuration file, and leaves every other line, with the
//! comments, as it is.

use toml::{
    Value,
    de::{DeTable, DeValue},
};

use super::keys::Key;

/// The text with another value of this key.
///
/// # Errors
/// When the text is no TOML, or would be none with it: then only a person can say what it was to be.
pub fn set(text: &str, key: &Key, value: &Value) -> Result<String, toml::de::Error> {
    let spans = DeTable::parse(text)?;
    let mut changed = text.to_owned();
    match place(spans.get_ref(), key.path) {
        Some(place) => changed.replace_range(place, &value.to_string()),
        None => add(&mut changed, spans.get_ref(), key.path, value),
    }
    DeTable::parse(&changed)?;
    Ok(changed)
}

/// Adds a key where its section stands: under a header, in braces, or as the beginning of dotted keys
/// under the header above.
fn add(text: &mut String, table: &DeTable, path: &str, value: &Value) {
    let sections = path.rmatch_indices('.').map(|(dot, _)| (&path[..dot], &path[dot + 1..]));
    for (section, name) in sections.chain([("", path)]) {
        let line = format!("{name} = {value}\n");
        match find(text, section, name) {
            Found::Commented(start, end) => return text.replace_range(start..end, &line),
            Found::Section(end) => return text.insert_str(end, &line),
            Found::Nothing => {}
        }
        match place(table, section) {
            None => return text.push_str(&format!("\n[{section}]\n{line}")),
            Some(place) if text[place.clone()].starts_with('{') => {
                let is_empty = text[place.start + 1..].trim_start().starts_with('}');
                let comma = if is_empty { "" } else { "," };
                return text.insert_str(place.start + 1, &format!(" {name} = {value}{comma}"));
            }
            Some(_) => {}
        }
    }
}

/// Where the value of a key stands.
fn place(table: &DeTable, path: &str) -> Option<std::ops::Range<usize>> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let value = table.get(first)?;
    match (rest, value.get_ref()) {
        (None, _) => Some(value.span()),
        (Some(rest), DeValue::Table(below)) => place(below, rest),
        (Some(_), _) => None,
    }
}

enum Found {
    /// The line of the template that shows the default, from its beginning to its end.
    Commented(usize, usize),
    /// The section is there, and begins to have lines at this place.
    Section(usize),
    Nothing,
}

fn find(text: &str, section: &str, name: &str) -> Found {
    let is_default = |line: &str| {
        let after = line.strip_prefix('#').and_then(|line| line.trim_start().strip_prefix(name));
        after.is_some_and(|after| after.trim_start().starts_with('='))
    };
    let (mut offset, mut is_inside) = (0, section.is_empty());
    let mut found = if is_inside { Found::Section(0) } else { Found::Nothing };
    for line in text.split_inclusive('\n') {
        let end = offset + line.len();
        if let Some(header) = line.trim().strip_prefix('[') {
            is_inside = header.split(']').next().map(str::trim) == Some(section);
            if is_inside {
                found = Found::Section(end);
            }
        } else if is_inside && is_default(line) {
            return Found::Commented(offset, end);
        }
        offset = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KEYS, TEMPLATE};

    fn key(path: &str) -> &'static Key {
        Key::find(path).unwrap()
    }

    #[test]
    fn every_setting_of_the_template_can_be_set_and_set_again() {
        for key in KEYS {
            let value = Value::String("first".into());
            let once = set(TEMPLATE, key, &value).unwrap();
            assert_eq!(once.lines().count(), TEMPLATE.lines().count(), "{} in its line", key.path);
            let twice = set(&once, key, &Value::Array(vec![Value::Integer(2)])).unwrap();
            let table: toml::Table = toml::from_str(&twice).unwrap();
            let mut found = &Value::Table(table);
            for part in key.path.split('.') {
                found = found.get(part).unwrap_or_else(|| panic!("{} is not set", key.path));
            }
            assert_eq!(found, &Value::Array(vec![Value::Integer(2)]));
            assert_eq!(twice.replace("[2]", "\"first\""), once);
        }
    }

    #[test]
    fn a_section_may_be_written_by_dotted_keys_or_in_braces() {
        let number = Value::Integer(7);
        for (path, before, after) in [
            (
                "https.domains",
                "https.acme = \"off\"\n",
                "https.domains = 7\nhttps.acme = \"off\"\n",
            ),
            (
                "https.domains",
                "https = { acme = \"off\" }",
                "https = { domains = 7, acme = \"off\" }",
            ),
            ("https.domains", "https = {}", "https = { domains = 7}"),
            (
                "storage.s3.bucket",
                "[storage]\ns3.region = \"x\"\n",
                "[storage]\ns3.bucket = 7\ns3.region = \"x\"\n",
            ),
            (
                "storage.s3.bucket",
                "storage.backend = \"s3\"\n",
                "storage.backend = \"s3\"\n\n[storage.s3]\nbucket = 7\n",
            ),
        ] {
            assert_eq!(set(before, key(path), &number).unwrap(), after);
        }
        // What cannot be added to is not broken.
        assert!(set("storage = { backend = \"s3\" }", key("storage.s3.bucket"), &number).is_err());
    }

    #[test]
    fn what_is_not_there_is_added_where_it_belongs() {
        let number = Value::Integer(7);
        let text = "listen = \"[::]:80\" # all\n[store]\n";
        let text = set(text, key("store.cache_mb"), &number).unwrap();
        let text = set(&text, key("worker.jobs"), &number).unwrap();
        let text = set(&text, key("data"), &Value::String("here".into())).unwrap();
        assert_eq!(
            text,
            "data = \"here\"\nlisten = \"[::]:80\" # all\n[store]\ncache_mb = 7\n\n[worker]\njobs = 7\n"
        );
        assert!(set("listen = ", key("data"), &number).is_err());
    }
}
