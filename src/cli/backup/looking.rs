//! `appliance backup list`, `verify`, `prune`, `drill`: looking after what is there.

use super::{Looking, push_damages, push_warnings, whole};
use crate::{
    app::{App, FoundBackups, ListedBackup},
    backup::{Retention, SignerKey, Signers},
    cli::{
        Exit, Failure, Shell,
        ask::unexpected,
        output::{self, Color, colored, counted},
    },
    control::{Reply, Request},
    size::Size,
};

pub fn list(shell: &Shell, looking: &Looking) -> Result<Exit, Failure> {
    let request = Request::Backups { place: looking.place()?, key: looking.opening.key()? };
    let listed = match shell.ask_even_without_portal(request)? {
        Reply::Backups(listed) => listed,
        other => return Err(unexpected(&other)),
    };
    if looking.json {
        let signer = own_signer(shell)?;
        output::print_json(&serde_json::json!({ "backups": listed, "signer": signer }))?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        output::print("No backups yet. Make one: appliance backup\n")?;
        return Ok(Exit::Done);
    }
    let known = |number: Option<u64>| number.map_or("?".into(), |number| number.to_string());
    let row = |one: &ListedBackup| {
        [
            one.id.clone(),
            one.created_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            known(one.records),
            known(one.files),
            one.size_bytes.map_or("?".into(), |bytes| Size(bytes).to_string()),
            signed(one),
        ]
    };
    let rows: Vec<_> = listed.iter().map(row).collect();
    output::print(&output::table(
        ["BACKUP", "TIME (UTC)", "RECORDS", "FILES", "SIZE", "SIGNED"],
        &rows,
    ))?;
    Ok(Exit::Done)
}

/// By which key the backups of the portal are known; `None` without a portal, or before the first.
fn own_signer(shell: &Shell) -> Result<Option<SignerKey>, Failure> {
    if !shell.config.data.join(App::DATABASE).exists() {
        return Ok(None);
    }
    match shell.ask(Request::BackupPlan)? {
        Reply::BackupPlan(view) => Ok(view.signer),
        other => Err(unexpected(&other)),
    }
}

/// By whom, as far as that is known.
fn signed(one: &ListedBackup) -> String {
    match (one.is_own, one.signer) {
        (Some(true), _) => "by this portal".into(),
        (Some(false), None) => "not signed by this portal".into(),
        (Some(false), Some(other)) => format!("not by this portal, but by {other}"),
        (None, Some(signer)) => format!("by {signer}"),
        (None, None) => "?".into(),
    }
}

pub fn signer(shell: &Shell, json: bool) -> Result<Exit, Failure> {
    let key = match shell.ask(Request::BackupSigner)? {
        Reply::BackupSigner(key) => key,
        other => return Err(unexpected(&other)),
    };
    match json {
        true => output::print_json(&serde_json::json!({ "signer": key }))?,
        false => output::print(&format!("{key}\n"))?,
    }
    Ok(Exit::Done)
}

pub fn verify(
    shell: &Shell,
    looking: &Looking,
    signers: Signers,
    (all_data, mends): (bool, bool),
) -> Result<Exit, Failure> {
    let (place, key) = (looking.place()?, looking.opening.key()?);
    let request = Request::VerifyBackups { place, key, signers, all_data, mends };
    let found = match shell.ask_even_without_portal(request)? {
        Reply::VerifiedBackups(found) => found,
        other => return Err(unexpected(&other)),
    };
    match looking.json {
        true => output::print_json(&found)?,
        false => output::print(&verified(&found))?,
    }
    Ok(if found.damages.is_empty() { Exit::Done } else { Exit::Partly })
}

fn verified(found: &FoundBackups) -> String {
    let mut text = format!(
        "Looked at {}: {}, {}{}.\n",
        found.place,
        counted(found.snapshots, "backup", "backups"),
        counted(found.files, "file", "files"),
        if found.is_deep { " (read in full)" } else { "" },
    );
    if found.locked > 0 {
        text.push_str(&format!(
            "{} not looked into: encrypted. Give the key (--identity-file, --passphrase-file).\n",
            counted(found.locked, "backup was", "backups were"),
        ));
    }
    push_warnings(&mut text, &found.warnings);
    push_damages(&mut text, &found.damages);
    match (found.damages.is_empty(), found.is_deep) {
        (true, true) => {
            text.push_str(&format!("{}\n", colored("Everything is whole.", Color::Green)))
        }
        (true, false) => text.push_str("Everything is there. --all-data reads the files too.\n"),
        (false, _) => text.push_str(
            "→ Make another backup; --mend removes damaged files, records and snapshots before, so \
                 that it brings what it can anew.\n",
        ),
    }
    text
}

pub fn prune(shell: &Shell, looking: &Looking, retention: Retention) -> Result<Exit, Failure> {
    let (place, key) = (looking.place()?, looking.opening.key()?);
    let request = Request::PruneBackups { place, key, retention };
    let pruned = match shell.ask_even_without_portal(request)? {
        Reply::PrunedBackups(pruned) => pruned,
        other => return Err(unexpected(&other)),
    };
    if looking.json {
        output::print_json(&pruned)?;
        return Ok(Exit::Done);
    }
    output::print(&format!(
        "Kept {}, removed {} and {} ({}).\n",
        counted(pruned.snapshots_kept, "backup", "backups"),
        counted(pruned.snapshots_removed, "backup", "backups"),
        counted(pruned.objects_removed, "object", "objects"),
        Size(pruned.bytes_removed),
    ))?;
    Ok(Exit::Done)
}

pub fn unlock(shell: &Shell, looking: &Looking) -> Result<Exit, Failure> {
    let request = Request::UnlockRepository { place: looking.place()? };
    let leases = match shell.ask_even_without_portal(request)? {
        Reply::Unlocked { leases } => leases,
        other => return Err(unexpected(&other)),
    };
    match looking.json {
        true => output::print_json(&serde_json::json!({ "leases": leases }))?,
        false => output::print(&format!("{} taken away.\n", counted(leases, "lease", "leases")))?,
    }
    Ok(Exit::Done)
}

pub fn trust(shell: &Shell, place: &str) -> Result<Exit, Failure> {
    let place = whole(place)?;
    match shell.ask(Request::TrustRepository { place: place.clone() })? {
        Reply::Trusted => {}
        other => return Err(unexpected(&other)),
    }
    output::print(&format!("From now on the repository in {place} is the right one.\n"))?;
    Ok(Exit::Done)
}

pub fn drill(shell: &Shell, looking: &Looking) -> Result<Exit, Failure> {
    let request = Request::Drill { place: looking.place()?, key: looking.opening.key()? };
    let drilled = match shell.ask(request)? {
        Reply::Drilled(drilled) => drilled,
        other => return Err(unexpected(&other)),
    };
    if looking.json {
        output::print_json(&drilled)?;
    } else {
        let mut text = format!(
            "Restored the state of {} into a scratch folder in {:.1} s: {}, {}, {}.\n",
            drilled.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            drilled.took_ms as f64 / 1_000.0,
            counted(drilled.records, "record", "records"),
            counted(drilled.files, "file", "files"),
            counted(drilled.searches, "search", "searches"),
        );
        text.push_str(&format!(
            "{} read once more, with the hashes that they should have; {} for phrases in texts.\n",
            counted(drilled.files_read, "file", "files"),
            counted(drilled.phrases, "search", "searches"),
        ));
        push_warnings(&mut text, &drilled.warnings);
        push_damages(&mut text, &drilled.damages);
        if drilled.damages.is_empty() {
            text.push_str(&format!("{}\n", colored("This backup can be relied on.", Color::Green)));
        }
        output::print(&text)?;
    }
    Ok(if drilled.damages.is_empty() { Exit::Done } else { Exit::Partly })
}
