//! Files and folders: whose they are, who may read them, and how much room is left.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    app::{Changeover, Finding},
    config::{Config, SYSTEM_FILE},
    host::{
        accounts,
        files::Rights,
        owner,
        places::{ENVIRONMENT_FILE, PROGRAM, USER},
    },
    size::Size,
    space::{Reserve, space},
};

/// Room for the database to grow while somebody reacts to a warning.
const ROOM_ADVISED_BYTES: u64 = 1 << 30;
const FOREIGN_SHOWN_MAX: usize = 3;

/// The data folder: whose it is, and who may look into it.
pub fn of_data(data: &Path) -> Vec<Finding> {
    let about = "data folder";
    let name = data.display();
    let metadata = match data.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("{name} does not exist yet: “appliance serve” makes it.");
            return vec![Finding::fine(about, message)];
        }
        Err(error) => {
            let message = format!("{name} cannot be looked at: {error}.");
            return vec![Finding::problem(about, message, "Look again as root.")];
        }
    };
    if !metadata.is_dir() {
        let message = format!("{name} is not a folder.");
        return vec![Finding::problem(about, message, "Name another one with --data.")];
    }
    let mut findings = Vec::new();
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        findings.push(Finding::warning(
            about,
            format!("{name} is open to other users of this machine (mode {mode:o})."),
            format!("chmod 700 {name}"),
        ));
    }
    findings.extend(owner_findings(data));
    if findings.is_empty() {
        findings.push(Finding::fine(
            about,
            format!("{name} belongs to one user and is closed to others."),
        ));
    }
    findings
}

fn owner_findings(data: &Path) -> Vec<Finding> {
    let about = "data folder";
    let name = data.display();
    let user = match owner::owner(data) {
        Ok(Some((user, _))) => user,
        _ => return Vec::new(),
    };
    let own = owner::own_user();
    if own != user && own != 0 {
        return vec![Finding::problem(
            about,
            format!("{name} belongs to another user (id {user}; you are {own})."),
            "Call the verbs as that user, or as root.",
        )];
    }
    match owner::foreign_files(data, user, 2, FOREIGN_SHOWN_MAX) {
        Ok(foreign) if foreign.is_empty() => Vec::new(),
        Ok(foreign) => {
            let names: Vec<String> =
                foreign.iter().map(|path| path.display().to_string()).collect();
            vec![Finding::problem(
                about,
                format!("Not everything in it belongs to the same user: {} …", names.join(", ")),
                format!("chown -R --reference={name} {name}"),
            )]
        }
        Err(error) => {
            let message = format!("Its files cannot be listed: {error}.");
            vec![Finding::problem(about, message, "Look again as root.")]
        }
    }
}

/// Records that a rollback has put aside: they are nowhere else, so only a person removes them.
pub fn put_aside(data: &Path) -> Vec<Finding> {
    let about = "records put aside";
    let changeover = Changeover::of(data);
    // A data folder that cannot be read is told of elsewhere.
    let names = changeover.names_put_aside().unwrap_or_default();
    let finding = |name: String| {
        let path = changeover.left(&name);
        let size = Size(path.metadata().map_or(0, |found| found.len()));
        let message =
            format!("A rollback put the records of then aside, {size}: {}.", path.display());
        let remedy = "When nobody needs what was saved in them any more, remove that file.";
        Finding::warning(about, message, remedy)
    };
    names.into_iter().map(finding).collect()
}

/// How much room is left now.
pub fn room(config: &Config) -> Option<Finding> {
    let about = "disk space";
    let existing = config.data.ancestors().find(|folder| folder.exists())?;
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let space = match space(existing) {
        Ok(space) => space,
        Err(fault) => {
            let message = format!("The free space cannot be read: {}.", fault.chain());
            return Some(Finding::warning(about, message, "Look with: df -h"));
        }
    };
    let wanted_bytes = u64::from(config.storage.reserve_mb) << 20;
    let reserve_bytes = Reserve::of_disk(existing, wanted_bytes).map_or(0, |it| it.bytes());
    let free = Size(space.free_bytes);
    let remedy = format!(
        "Make room on the disk of {}: empty the trash in the portal, remove old backups \
         (appliance backup prune), enlarge the disk, or let files move to S3.",
        config.data.display()
    );
    Some(if space.free_bytes <= reserve_bytes {
        let message =
            format!("Uploads and backups wait: {free} free, and {} are kept.", Size(reserve_bytes));
        Finding::problem(about, message, remedy)
    } else if space.free_bytes - reserve_bytes < ROOM_ADVISED_BYTES {
        Finding::warning(about, format!("Little is left: {free} free."), remedy)
    } else {
        Finding::fine(about, format!("{free} of {} free.", Size(space.total_bytes)))
    })
}

/// What `install` wrote: secrets are closed to others, and nobody but root may change the rest.
pub fn of_installation() -> Vec<Finding> {
    let about = "file modes";
    let mut findings = Vec::new();
    let group = accounts::find(USER).ok().flatten().map(|ids| ids.group);
    for path in [SYSTEM_FILE, ENVIRONMENT_FILE] {
        // What is not there cannot be open.
        let Ok(Some(rights)) = Rights::of(Path::new(path)) else { continue };
        let is_read_by_portal = rights.mode & 0o040 != 0 && group == Some(rights.owner.group);
        if rights.mode & 0o007 != 0 {
            findings.push(Finding::warning(
                about,
                format!("{path} may hold secrets and is open to others (mode {:o}).", rights.mode),
                format!("chown root:{USER} {path} && chmod 640 {path}"),
            ));
        } else if !is_read_by_portal {
            findings.push(Finding::problem(
                about,
                format!("The portal cannot read {path}."),
                format!("chown root:{USER} {path} && chmod 640 {path}"),
            ));
        }
    }
    if let Ok(Some(rights)) = Rights::of(Path::new(PROGRAM))
        && (rights.owner.user != 0 || rights.mode & 0o022 != 0)
    {
        findings.push(Finding::problem(
            about,
            format!("Others than root may change {PROGRAM}."),
            format!("chown root:root {PROGRAM} && chmod 755 {PROGRAM}"),
        ));
    }
    if findings.is_empty() {
        let message = "Configuration and program are closed to whom they should be.";
        findings.push(Finding::fine(about, message));
    }
    findings
}
