//! Who we are to S3, by the chain that every program of Amazon's follows: the settings, the
//! environment, the shared credentials file; what comes after (web identity, container, the role of
//! this machine), `object_store` does itself.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::Context;

use crate::{
    config::S3Config,
    error::{Error, Result},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Key {
        id: String,
        secret: String,
        token: Option<String>,
    },
    /// `object_store` finds a role when it is needed.
    Role,
}

/// `environment` tells the value of a variable.
pub(super) fn find(
    config: &S3Config,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Found> {
    let variable = |name| environment(name).filter(|value| !value.is_empty());
    if !config.access_key_id.is_empty() {
        let id = config.access_key_id.clone();
        return Ok(Found::Key { id, secret: secret(config)?, token: None });
    }
    if let (Some(id), Some(secret)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        return Ok(Found::Key { id, secret, token: variable("AWS_SESSION_TOKEN") });
    }
    let is_named = variable("AWS_SHARED_CREDENTIALS_FILE").is_some();
    let file = variable("AWS_SHARED_CREDENTIALS_FILE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".aws/credentials")));
    let profile = variable("AWS_PROFILE");
    let Some(file) = file else { return Ok(Found::Role) };
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(_) if !is_named => return Ok(Found::Role),
        Err(error) => {
            return Err(Error::invalid(format!(
                "AWS_SHARED_CREDENTIALS_FILE: the file {} cannot be read: {error}.",
                file.display()
            )));
        }
    };
    match (in_profile(&text, profile.as_deref().unwrap_or("default")), profile) {
        (Some(found), _) => Ok(found),
        (None, None) => Ok(Found::Role),
        (None, Some(profile)) => Err(Error::invalid(format!(
            "AWS_PROFILE: there is no key for the profile {profile:?} in {}.",
            file.display()
        ))),
    }
}

fn secret(config: &S3Config) -> Result<String> {
    let file = &config.secret_access_key_file;
    if file.as_os_str().is_empty() {
        return Ok(config.secret_access_key.reveal().to_owned());
    }
    let text =
        fs::read_to_string(file).with_context(|| format!("reading {}", file.display())).map_err(
            |error| Error::invalid(format!("storage.s3.secret_access_key_file: {error:#}.")),
        )?;
    match text.trim() {
        "" => Err(Error::invalid(format!(
            "storage.s3.secret_access_key_file: {} is empty.",
            file.display()
        ))),
        secret => Ok(secret.to_owned()),
    }
}

/// The key of a profile: `[name]`, then lines of `name = value`; `#` and `;` begin comments.
fn in_profile(text: &str, wanted: &str) -> Option<Found> {
    let mut is_wanted = false;
    let mut values = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            is_wanted = name.trim() == wanted;
        } else if is_wanted && let Some((name, value)) = line.split_once('=') {
            values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Some(Found::Key {
        id: values.remove("aws_access_key_id")?,
        secret: values.remove("aws_secret_access_key")?,
        token: values.remove("aws_session_token").filter(|token| !token.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[default]\naws_access_key_id = AKIADEFAULT\n\
        aws_secret_access_key=abc=/+\n\n[ portal ]\nAWS_ACCESS_KEY_ID=AKIAPORTAL\n\
        ; a comment\naws_secret_access_key = def\naws_session_token = token\n[empty]\n";

    fn with(variables: &[(&str, &str)], config: &S3Config) -> Result<Found> {
        find(config, |name| {
            let value = variables.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| (*value).to_owned())
        })
    }

    fn key(id: &str, secret: &str, token: Option<&str>) -> Found {
        Found::Key { id: id.into(), secret: secret.into(), token: token.map(str::to_owned) }
    }

    #[test]
    fn credentials_come_from_the_first_place_that_has_some() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("credentials");
        fs::write(&path, FILE).expect("a file");
        let file = ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().expect("text"));
        let secret = folder.path().join("secret");
        fs::write(&secret, "from a file\n").expect("a file");
        let mut config = S3Config::default();

        assert_eq!(with(&[], &config).unwrap(), Found::Role);
        assert_eq!(with(&[file], &config).unwrap(), key("AKIADEFAULT", "abc=/+", None));
        let portal = ("AWS_PROFILE", "portal");
        let found = with(&[file, portal], &config).unwrap();
        assert_eq!(found, key("AKIAPORTAL", "def", Some("token")));
        let unknown = with(&[file, ("AWS_PROFILE", "empty")], &config).unwrap_err();
        assert!(unknown.to_string().starts_with("AWS_PROFILE"), "{unknown}");
        let gone = with(&[("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")], &config).unwrap_err();
        assert!(gone.to_string().contains("/nowhere"), "{gone}");

        let environment = [
            file,
            ("AWS_ACCESS_KEY_ID", "AKIAENV"),
            ("AWS_SECRET_ACCESS_KEY", "env"),
            ("AWS_SESSION_TOKEN", "short"),
        ];
        assert_eq!(with(&environment, &config).unwrap(), key("AKIAENV", "env", Some("short")));
        let identity = [("HOME", "/nowhere"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
        assert_eq!(with(&identity, &config).unwrap(), Found::Role);

        config.access_key_id = "AKIASET".into();
        config.secret_access_key = "set".into();
        assert_eq!(with(&environment, &config).unwrap(), key("AKIASET", "set", None));
        config.secret_access_key_file = secret;
        assert_eq!(with(&[], &config).unwrap(), key("AKIASET", "from a file", None));
        fs::write(&config.secret_access_key_file, " \n").expect("a file");
        let empty = with(&[], &config).unwrap_err();
        assert!(empty.to_string().contains("is empty"), "{empty}");
        config.secret_access_key_file = "/nowhere".into();
        let gone = with(&[], &config).unwrap_err();
        assert!(gone.to_string().contains("storage.s3.secret_access_key_file"), "{gone}");
    }
}
