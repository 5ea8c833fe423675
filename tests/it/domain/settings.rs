//! What an administrator changes while the portal runs.

use appliance::{
    domain::{
        access::Role,
        settings::{self, Settings, SettingsEdit},
    },
    error::Result,
};

use super::world::*;

fn edit(world: &World, edit: SettingsEdit) -> Result<Settings> {
    world.act(&world.ada, move |tx, ada| settings::edit(tx, ada, edit))
}

fn sane() -> SettingsEdit {
    SettingsEdit { upload_bytes_max: 1 << 30, session_days: 7, cors_origins: Vec::new() }
}

fn origins(world: &World, origins: &[&str]) -> Result<Vec<String>> {
    let cors_origins = origins.iter().map(|origin| origin.to_string()).collect();
    Ok(edit(world, SettingsEdit { cors_origins, ..sane() })?.cors_origins)
}

#[test]
fn settings_are_there_before_anybody_changed_them_and_stay_when_changed() {
    let world = World::new();
    let before = world.read(settings::get).unwrap();
    assert_eq!((before.upload_bytes_max, before.session_days), (10_000_000_000, 14));
    edit(&world, sane()).unwrap();
    let after = world.read(settings::get).unwrap();
    assert_eq!((after.upload_bytes_max, after.session_days), (1 << 30, 7));
    assert_eq!(after.session_lifetime(), days(7));
}

#[test]
fn the_key_for_tokens_is_made_once_and_survives_an_edit() {
    let world = World::new();
    let key = world.write(settings::prepare).unwrap().token_key;
    assert!(key.len() >= 43);
    assert_eq!(world.write(settings::prepare).unwrap().token_key, key);
    let settings = edit(&world, sane()).unwrap();
    assert_eq!(settings.token_key, key);
    assert!(!format!("{settings:?}").contains(&key), "no secret in a log");
}

#[test]
fn limits_are_limited() {
    let world = World::new();
    for upload_bytes_max in [0, 999_999, 1_000_000_000_001, u64::MAX] {
        assert_invalid(edit(&world, SettingsEdit { upload_bytes_max, ..sane() }), "upload_limit");
    }
    for session_days in [0, 366, u32::MAX] {
        assert_invalid(edit(&world, SettingsEdit { session_days, ..sane() }), "session_days");
    }
    edit(&world, SettingsEdit { upload_bytes_max: 1_000_000, session_days: 365, ..sane() })
        .unwrap();
}

#[test]
fn an_origin_is_kept_as_browsers_write_it() {
    let world = World::new();
    for (typed, kept) in [
        ("https://www.example.com", "https://www.example.com"),
        (" HTTPS://WWW.Example.com/ ", "https://www.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("https://example.com:80", "https://example.com:80"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]"),
        ("http://192.0.2.7", "http://192.0.2.7"),
    ] {
        assert_eq!(origins(&world, &[typed]).unwrap(), [kept]);
    }
    assert_eq!(
        origins(&world, &["", "https://a.example", " ", "https://A.example/"]).unwrap(),
        ["https://a.example"]
    );
}

#[test]
fn what_is_no_origin_is_refused() {
    let world = World::new();
    for wrong in [
        "*",
        "null",
        "example.com",
        "https://",
        "https://*.example.com",
        "https://example.com/path",
        "https://example.com?x",
        "https://user@example.com",
        "https://example.com:",
        "https://example.com:x",
        "https://example.com:+8",
        "https://example.com:99999",
        "https://exa mple.com",
        "https://a..b",
        "https://:::",
        "http://[::1",
        "http://[zz]",
        "ftp://example.com",
        "javascript://example.com",
    ] {
        assert_invalid(origins(&world, &[wrong]), "cors_origins");
    }
    let many: Vec<String> = (0..51).map(|number| format!("https://{number}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_invalid(origins(&world, &many), "cors_origins");
    assert_eq!(origins(&world, &many[..50]).unwrap().len(), 50);
}

#[test]
fn settings_belong_to_administrators_of_the_instance() {
    let world = World::new();
    let bob = world.person("bob", Role::Admin);
    assert_forbidden(world.act(&bob, |tx, bob| settings::edit(tx, bob, sane())));
}
