//! The configuration: where settings come from, and what happens to what is not understood.

use std::{collections::BTreeSet, path::PathBuf};

use appliance::config::{
    Backend, Config, Encryption, KEYS, Key, LogFormat, Origin, Problems, Sources, TEMPLATE, load,
};
use toml::{Table, Value};

use crate::support::Shell;

fn sources(file: Option<PathBuf>, environment: &[(&str, &str)]) -> Sources {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    // Without a name it would look for the system's file, which a test must not depend on.
    let file = file.or_else(|| Some("/dev/null".into()));
    Sources { file, environment, flags: Vec::new() }
}

fn from_file(text: &str) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("appliance.toml");
    std::fs::write(&path, text).expect("a file");
    load(&sources(Some(path), &[])).map(|loaded| loaded.config)
}

/// What is said about a file, without the folder in front of it.
fn problems_of(text: &str) -> Vec<String> {
    let problems = from_file(text).expect_err("a problem").0;
    let bare = |problem: String| {
        let at = problem.find("appliance.toml").unwrap_or(0);
        problem[at..].to_owned()
    };
    problems.into_iter().map(bare).collect()
}

fn from_environment(environment: &[(&str, &str)]) -> Result<Config, Problems> {
    load(&sources(None, environment)).map(|loaded| loaded.config)
}

#[test]
fn the_template_says_exactly_the_defaults() {
    assert_eq!(from_file(TEMPLATE), Ok(Config::default()));
    // Its settings are behind a "#" without a space.
    let is_setting = |line: &str| {
        line.strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let uncommented: Vec<&str> =
        TEMPLATE.lines().map(|line| if is_setting(line) { &line[1..] } else { line }).collect();
    let uncommented = uncommented.join("\n");
    assert_eq!(from_file(&uncommented), Ok(Config::default()));
    let table: Table = uncommented.parse().expect("TOML");
    assert_eq!(paths(&table, ""), known(), "the template has every key, and no other");
}

#[test]
fn every_field_has_a_key() {
    let full = Config {
        public_url: Some("https://docs.example.com".into()),
        listen_https: Some("0.0.0.0:443".parse().expect("an address")),
        ..Config::default()
    };
    let table = Table::try_from(&full).expect("TOML");
    assert_eq!(paths(&table, ""), known());
}

fn known() -> BTreeSet<String> {
    KEYS.iter().map(|key| key.path.to_owned()).collect()
}

fn paths(table: &Table, above: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in table {
        match value {
            Value::Table(below) => found.extend(paths(below, &format!("{above}{name}."))),
            _ => {
                found.insert(format!("{above}{name}"));
            }
        }
    }
    found
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("appliance.toml");
    let text = "data = \"from-file\"\nlisten = \"127.0.0.1:1\"\n\n[store]\ncache_mb = 7\n";
    std::fs::write(&path, text).expect("a file");
    let mut sources = sources(
        Some(path.clone()),
        &[("APPLIANCE_DATA", "from-env"), ("APPLIANCE_LISTEN", "127.0.0.1:2")],
    );
    sources.flags.push(("listen", "--listen", "127.0.0.1:3".into()));
    let loaded = load(&sources).expect("a configuration");
    assert_eq!(loaded.config.listen.port(), 3);
    assert_eq!(loaded.config.data, PathBuf::from("from-env"));
    assert_eq!(loaded.config.store.cache_mb, 7);
    let origin = |path| loaded.origin(Key::find(path).expect("a key"));
    assert_eq!(origin("listen"), Origin::Flag("--listen"));
    assert_eq!(origin("data"), Origin::Variable("APPLIANCE_DATA".into()));
    assert_eq!(origin("store.cache_mb"), Origin::File { path, line: 5 });
    assert_eq!(origin("worker.jobs"), Origin::Default);
}

#[test]
fn every_setting_can_come_from_the_environment() {
    let config = from_environment(&[
        ("APPLIANCE_LISTEN", "[::1]:9000"),
        ("APPLIANCE_DATA", "/srv/appliance"),
        ("APPLIANCE_PUBLIC_URL", "https://docs.example.com"),
        ("APPLIANCE_TRUSTED_PROXIES", "10.0.0.7, 10.0.16.0/20"),
        ("APPLIANCE_STORE_CACHE_MB", "128"),
        ("APPLIANCE_STORAGE_RESERVE_MB", "0"),
        ("APPLIANCE_UPLOADS_STALL_SECONDS", "20"),
        ("APPLIANCE_STORAGE_BACKEND", "s3"),
        ("APPLIANCE_STORAGE_LINK_MINUTES", "9"),
        ("APPLIANCE_STORAGE_S3_BUCKET", "documents"),
        ("APPLIANCE_STORAGE_S3_REGION", "eu-central-1"),
        ("APPLIANCE_STORAGE_S3_PATH_STYLE", "true"),
        ("APPLIANCE_STORAGE_S3_ENCRYPTION", "aws:kms"),
        ("APPLIANCE_WORKER_JOBS", "3"),
        ("APPLIANCE_WORKER_MEMORY_MB", "512"),
        ("APPLIANCE_WORKER_SECONDS", "10"),
        ("APPLIANCE_WORKER_ALLOW_UNSANDBOXED", "true"),
        ("APPLIANCE_AUDIT_KEEP_DAYS", "90"),
        ("APPLIANCE_METRICS_TOKEN", "a-token-for-prometheus"),
        ("APPLIANCE_LOG_LEVEL", "warn,appliance::store=debug"),
        ("APPLIANCE_LOG_FORMAT", "json"),
    ])
    .expect("a configuration");
    assert_eq!(config.listen.to_string(), "[::1]:9000");
    assert_eq!(config.data, PathBuf::from("/srv/appliance"));
    assert_eq!(config.public_url.as_deref(), Some("https://docs.example.com"));
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!((config.store.cache_mb, config.storage.reserve_mb), (128, 0));
    assert_eq!(config.uploads.stall_seconds, 20);
    assert_eq!((config.storage.backend, config.storage.link_minutes), (Backend::S3, 9));
    assert_eq!(config.storage.s3.bucket, "documents");
    assert!(config.storage.s3.path_style);
    assert_eq!(config.storage.s3.encryption, Encryption::Kms);
    assert_eq!((config.worker.jobs, config.worker.memory_mb, config.worker.seconds), (3, 512, 10));
    assert!(config.worker.allow_unsandboxed);
    assert_eq!(config.audit.keep_days, 90);
    assert_eq!(config.metrics.token.reveal(), "a-token-for-prometheus");
    assert_eq!(config.log.level, "warn,appliance::store=debug");
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn an_empty_variable_sets_nothing() {
    let config = from_environment(&[("APPLIANCE_DATA", ""), ("APPLIANCE_STORE_CACHE_MB", "")]);
    assert_eq!(config, Ok(Config::default()));
}

#[test]
fn a_value_can_be_read_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("url");
    std::fs::write(&path, "https://docs.example.com\n").expect("a file");
    let path = path.to_str().expect("a path");
    let config = from_environment(&[("APPLIANCE_PUBLIC_URL_FILE", path)]).expect("a configuration");
    assert_eq!(config.public_url.as_deref(), Some("https://docs.example.com"));

    let both = [("APPLIANCE_PUBLIC_URL_FILE", path), ("APPLIANCE_PUBLIC_URL", "https://a.example")];
    let problems = from_environment(&both).expect_err("a problem").0;
    assert_eq!(
        problems,
        ["Both APPLIANCE_PUBLIC_URL and APPLIANCE_PUBLIC_URL_FILE are set. Remove one of them."]
    );
    let missing = from_environment(&[("APPLIANCE_DATA_FILE", "/nowhere/at/all")]);
    assert!(missing.expect_err("a problem").0[0].contains("/nowhere/at/all cannot be read"));
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_known_one() {
    assert_eq!(
        problems_of("# a comment\n\nlisten = \"127.0.0.1:8080\"\nlisen = 1\n"),
        ["appliance.toml, line 4: There is no setting “lisen”. Did you mean “listen”?"]
    );
    assert_eq!(
        problems_of("[store]\ncahce_mb = 5\n"),
        [
            "appliance.toml, line 2: There is no setting “store.cahce_mb”. Did you mean “store.cache_mb”?"
        ]
    );
    assert_eq!(
        problems_of("cache_mb = 5\n"),
        ["appliance.toml, line 1: There is no setting “cache_mb”. Did you mean “store.cache_mb”?"]
    );
    assert_eq!(
        problems_of("[stroe]\ncache_mb = 5\n"),
        ["appliance.toml, line 1: There is no section [stroe]. Did you mean “store”?"]
    );
    assert_eq!(
        problems_of("[database]\nurl = \"\"\n"),
        [
            "appliance.toml, line 1: There is no section [database]. “appliance config show --template” lists all settings."
        ]
    );
    assert_eq!(
        problems_of("store = 5\n"),
        ["appliance.toml, line 1: “store” is a section. Write [store] on a line of its own."]
    );
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_known_one() {
    let problems = |name| from_environment(&[(name, "x")]).expect_err("a problem").0.remove(0);
    assert_eq!(
        problems("APPLIANCE_LISTN"),
        "The environment variable APPLIANCE_LISTN is no setting of Appliance. Did you mean APPLIANCE_LISTEN?"
    );
    assert!(problems("APPLIANCE_SOMETHING_ELSE").contains("Unset it"));
}

#[test]
fn a_value_that_makes_no_sense_is_named_with_what_would() {
    assert_eq!(
        problems_of("[store]\ncache_mb = -1\n"),
        [
            "appliance.toml, line 2: store.cache_mb cannot be -1. It must be a number of megabytes from 1 to 1048576."
        ]
    );
    assert_eq!(
        problems_of("listen = \"localhost\"\n"),
        [
            "appliance.toml, line 1: listen cannot be \"localhost\". It must be an address with a port, such as 127.0.0.1:8080 or [::]:8080."
        ]
    );
    assert_eq!(
        problems_of("[log]\nlevel = \"inof\"\nformat = \"xml\"\n").len(),
        2,
        "all problems are said, not only the first"
    );
    let problems = from_environment(&[("APPLIANCE_WORKER_JOBS", "many")]).expect_err("a problem").0;
    assert_eq!(
        problems,
        [
            "APPLIANCE_WORKER_JOBS: worker.jobs cannot be \"many\". It must be a number from 1 to 64."
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_an_error_with_its_line() {
    let problems = problems_of("listen = \"127.0.0.1:8080\"\ndata = \n");
    assert!(problems[0].starts_with("appliance.toml, line 2: "), "{problems:?}");
    let duplicate = problems_of("data = \"a\"\ndata = \"b\"\n");
    assert!(duplicate[0].starts_with("appliance.toml, line 2: "), "{duplicate:?}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let problems =
        load(&sources(Some("/nowhere/appliance.toml".into()), &[])).expect_err("a problem");
    assert!(problems.0[0].contains("/nowhere/appliance.toml cannot be read"), "{problems:?}");
}

#[test]
fn a_wrong_configuration_stops_every_verb_with_exit_code_2() {
    let shell = Shell::new();
    let wrong = shell.file("wrong.toml", "lisen = 1\n\n[log]\nlevel = \"loud\"\n");
    let ended = shell.run(&["--config", &wrong, "user", "list"]).expect(2);
    assert!(ended.err.starts_with("error: "), "{ended:?}");
    assert!(ended.err.contains("wrong.toml, line 1: There is no setting “lisen”"), "{ended:?}");
    assert!(ended.err.contains("1 more"), "{ended:?}");
    shell.run(&["--config", &wrong, "serve"]).expect(2);
    let checked = shell.run(&["--config", &wrong, "config", "check"]).expect(2);
    assert_eq!(checked.out.lines().count(), 2, "{checked:?}");
    let mut mistyped = shell.command(&["user", "list"]);
    mistyped.env("APPLIANCE_DATTA", "elsewhere");
    let ended = crate::support::finish(mistyped).expect(2);
    assert!(ended.err.contains("Did you mean APPLIANCE_DATA?"), "{ended:?}");
}

#[test]
fn the_shell_shows_the_configuration_and_where_it_comes_from() {
    let shell = Shell::new();
    let file = shell.file("appliance.toml", "[worker]\njobs = 5\n");
    let shown = shell.run(&["--config", &file, "config", "show"]).expect(0);
    let table: Table = shown.out.parse().expect("TOML");
    assert_eq!(table["worker"]["jobs"].as_integer(), Some(5));
    assert!(shown.out.contains(&format!("# {file}, line 2")), "{shown:?}");
    assert!(shown.out.contains("# APPLIANCE_LISTEN"), "{shown:?}");

    let json = shell.run(&["--config", &file, "--data", "d", "config", "show", "--json"]).expect(0);
    let json = json.json();
    assert_eq!(json["file"], file.as_str());
    assert_eq!(json["config"]["worker"]["jobs"], 5);
    assert_eq!(json["config"]["data"], "d");
    assert_eq!(json["origins"]["data"], "--data");
    assert_eq!(json["origins"]["log.level"], "default");

    assert_eq!(shell.run(&["config", "show", "--template"]).expect(0).out, TEMPLATE);
    shell.run(&["--config", &file, "config", "check"]).expect(0);
}

#[test]
fn proxies_are_named_where_their_protocol_is_spoken() {
    assert_eq!(
        problems_of("proxy_protocol = true\n"),
        ["trusted_proxies is missing: proxy_protocol is spoken with the proxies that it names."]
    );
    let named = from_file("proxy_protocol = true\ntrusted_proxies = [\"10.0.0.0/16\"]\n");
    assert!(named.expect("a configuration").trusts("10.0.9.9".parse().expect("an address")));
    let problems = problems_of("trusted_proxies = [\"10.0.0.0/40\"]\n");
    assert!(problems[0].contains("such as 10.0.0.7 or 10.0.0.0/16"), "{problems:?}");
}

#[test]
fn settings_of_s3_that_do_not_fit_together_are_named() {
    let problem = |text: &str| problems_of(text).remove(0);
    assert!(problem("[storage]\nbackend = \"s3\"\n").starts_with("storage.s3.bucket is missing"));
    from_file("[storage.s3]\nregion = \"eu-west-1\"\n").expect("backups name their bucket");
    let insecure = "[storage.s3]\nendpoint = \"http://127.0.0.1:9000\"\n";
    assert!(problem(insecure).contains("storage.s3.allow_http"));
    let bucket = "[storage.s3]\nbucket = \"documents\"\nregion = \"eu-west-1\"\n";
    from_file(bucket).expect("a bucket and its region are enough");
    for (more, named) in [
        ("endpoint = \"http://127.0.0.1:9000\"", "storage.s3.allow_http"),
        ("access_key_id = \"AKIA\"", "storage.s3.secret_access_key is missing"),
        ("secret_access_key = \"x\"", "storage.s3.access_key_id is missing"),
        ("secret_access_key_file = \"/x\"", "storage.s3.access_key_id is missing"),
        ("kms_key = \"alias/documents\"", "storage.s3.kms_key is set, but not used"),
        ("storage_class = \"DEEP_ARCHIVE\"", "storage.s3.storage_class cannot be"),
        ("encryption = \"rot13\"", "It must be none, AES256 or aws:kms"),
        ("endpoint = \"s3.example.com\"", "storage.s3.endpoint cannot be"),
        ("prefix = \"/a\"", "storage.s3.prefix cannot be"),
        ("path_style = \"yes\"", "It must be true or false"),
        ("buckett = \"x\"", "Did you mean “storage.s3.bucket”?"),
    ] {
        let problems = problems_of(&format!("{bucket}{more}\n"));
        assert!(problems.iter().any(|problem| problem.contains(named)), "{more}: {problems:?}");
    }
    let both = "access_key_id = \"a\"\nsecret_access_key = \"b\"\nsecret_access_key_file = \"c\"\n";
    assert!(problem(&format!("{bucket}{both}")).contains("Remove one of them"));
    assert!(problem("[storage.s3]\nbucket = \"No Bucket\"\n").contains("storage.s3.bucket cannot"));
}

#[test]
fn the_secret_of_s3_is_shown_nowhere() {
    let shell = Shell::new();
    let text = "[storage.s3]\nbucket = \"documents\"\nregion = \"eu-west-1\"\n\
                access_key_id = \"AKIA\"\nsecret_access_key = \"tall-green-kettle\"\n";
    let file = shell.file("appliance.toml", text);
    for verb in [&["config", "show"][..], &["config", "show", "--json"], &["config", "check"]] {
        let arguments = [&["--config", file.as_str()], verb].concat();
        let ended = shell.run(&arguments).expect(0);
        assert!(!ended.out.contains("tall-green-kettle"), "{ended:?}");
    }
    let config = from_file(text).expect("a configuration");
    assert!(!format!("{config:?}").contains("tall-green-kettle"));
    let wrong = text.replace("tall-green", "tall green");
    assert!(!problems_of(&wrong).concat().contains("kettle"));
}

#[test]
fn https_is_refused_where_it_cannot_work() {
    let said = |text: &str, words: &str| {
        let problems = problems_of(text);
        assert!(problems.len() == 1 && problems[0].contains(words), "{text}: {problems:?}");
    };
    said("[https]\ndomains = [\"https://docs.example.com\"]", "It must be a list of names");
    said(
        "[https]\nacme = \"http://ca.internal/dir\"",
        "letsencrypt, staging, off, or the https://",
    );
    said("[https]\nemail = \"ops\"", "It must be an e-mail address");
    said("allowed_hosts = [\"docs.example.com:8080\"]", "without a port");
    said("[limits]\nconnections = 3", "from 16 to 1000000");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("appliance.toml");
    std::fs::write(&path, "[https]\ncertificate_file = \"chain.pem\"").expect("a file");
    let problems = load(&sources(Some(path), &[])).expect_err("a problem").0;
    assert_eq!(problems, ["https.key_file is missing: it belongs to https.certificate_file."]);
}

#[test]
fn https_comes_from_the_environment_too() {
    let config = from_environment(&[
        ("APPLIANCE_HTTPS_DOMAINS", "docs.example.com, www.example.com"),
        ("APPLIANCE_HTTPS_ACME", "staging"),
        ("APPLIANCE_LISTEN_HTTPS", "[::]:443"),
        ("APPLIANCE_ALLOWED_HOSTS", "*.example.com,10.0.0.7"),
    ])
    .expect("a configuration");
    assert_eq!(config.https.domains, ["docs.example.com", "www.example.com"]);
    assert!(config.https.directory().is_some_and(|url| url.contains("staging")));
    assert_eq!(config.listen_https, "[::]:443".parse().ok());
    assert_eq!(config.allowed_hosts, ["*.example.com", "10.0.0.7"]);
}
