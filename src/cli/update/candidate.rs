//! The version that is to come: fetched, believed, unpacked, and asked who it is.

use std::{fs, path::Path};

use anyhow::Context;

use super::versions::{Program, public_folder};
use crate::{
    app::{Reporter, Step},
    cli::{Failure, Shell, ask::runtime, ask::show},
    error::{Error, Result},
    host::places::LIBRARY,
    release::{self, Fetched, MACHINE, Origin, PublicKey, Sums, Trust},
    version::Version,
};

/// A program in the folder of versions.
pub struct Candidate {
    pub program: Program,
    pub fetched: Fetched,
}

/// Whose signature counts here.
pub fn trust(shell: &Shell, is_unsigned: bool) -> Result<Trust, Failure> {
    if is_unsigned {
        return Ok(Trust::Nobody);
    }
    let configured = &shell.config.update.public_key;
    let key = match configured.as_str() {
        "" => PublicKey::built_in()?,
        text => Some(PublicKey::from_text(text)?),
    };
    key.map(Trust::Key).ok_or_else(|| {
        Failure::usage(
            "Nobody's signature can be checked: this program was built without a key, and \
             update.public_key is not set. If you know where the release comes from, say --unsigned.",
        )
    })
}

/// What somebody named, or the newest in the channel; `None` when the channel has nothing newer.
pub fn origin(shell: &Shell, source: Option<&str>, trust: &Trust) -> Result<Origin, Failure> {
    if let Some(source) = source {
        return Ok(Origin::named(source)?);
    }
    let (_, name) = newest(shell, trust)?;
    Ok(Origin::in_channel(&shell.config.update.url, &name)?)
}

/// The newest version in the channel, and the name of its archive.
pub fn newest(shell: &Shell, trust: &Trust) -> Result<(Version, String), Failure> {
    let channel = &shell.config.update.url;
    if channel.is_empty() {
        return Err(Failure::usage(
            "It is not known where new versions come from: name a file or an address, such as \
             “appliance update appliance-1.2.3-x86_64-linux.tar.gz”, or set update.url in the \
             configuration.",
        ));
    }
    let list = Origin::in_channel(channel, release::SUMS)?;
    let sums = runtime()?.block_on(release::look(&list, trust))?;
    let newest = sums.as_ref().and_then(Sums::newest);
    let (version, name) = newest.ok_or_else(|| {
        Error::NotFound(format!("There is no release for {MACHINE} in {channel}."))
    })?;
    Ok((version, name.to_owned()))
}

/// Brings it here. It lies among the versions then, and nothing else has changed.
pub fn fetch(origin: &Origin, trust: &Trust) -> Result<Candidate, Failure> {
    let folder = Path::new(LIBRARY).join("incoming");
    let _removed = fs::remove_dir_all(&folder);
    public_folder(&folder)?;
    let candidate = fetch_into(&folder, origin, trust);
    fs::remove_dir_all(&folder).context("removing what was fetched")?;
    candidate
}

fn fetch_into(folder: &Path, origin: &Origin, trust: &Trust) -> Result<Candidate, Failure> {
    let fetched = runtime()?.block_on(async {
        let (reporter, steps) = Reporter::new();
        let bar = tokio::spawn(show(steps));
        let advance = |done, total| {
            reporter.repeat(Step { what: "Fetching the release".into(), done, total });
        };
        let fetched = release::fetch(origin, folder, trust, advance).await;
        drop(reporter);
        let _drawn = bar.await;
        fetched
    })?;
    let path = folder.join("appliance");
    release::unpack(&fetched.path, &path)?;
    release::check_platform(&path)?;
    // For everybody, whatever the mask of files says.
    crate::host::files::Rights::root(0o755).give_to(&path)?;
    let program = Program::at(&path)?.or_kept()?;
    program.keep(&path)?;
    Ok(Candidate { program, fetched })
}
