//! The version that is to come: fetched, believed, unpacked, and asked who it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ground::Ground, making::Update, versions::Program};
use crate::{
    app::{Reporter, Step},
    cli::{Failure, Shell, ask::runtime, ask::show, output::minute},
    error::{Error, Result},
    host::{files, folders},
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
pub fn origin(
    shell: &Shell,
    ground: &Ground,
    update: &Update,
    trust: &Trust,
) -> Result<Origin, Failure> {
    if let Some(source) = update.source {
        return Ok(Origin::named(source)?);
    }
    let (_, name) = newest(shell, ground, trust, update.may_be_older)?;
    Ok(Origin::in_channel(&shell.config.update.url, &name)?)
}

/// The newest version in the channel, and the name of its archive.
///
/// # Errors
/// `Invalid` for a list that is older than one which was taken before, unless that may be.
pub fn newest(
    shell: &Shell,
    ground: &Ground,
    trust: &Trust,
    may_be_older: bool,
) -> Result<(Version, String), Failure> {
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
    if let Some(sums) = &sums {
        Seen::read(ground)?.judge(sums, trust, may_be_older)?;
    }
    let newest = sums.as_ref().and_then(Sums::newest);
    let (version, name) = newest.ok_or_else(|| {
        Error::NotFound(format!("There is no release for {MACHINE} in {channel}."))
    })?;
    Ok((version, name.to_owned()))
}

/// Brings it here. It lies among the versions then, and nothing else has changed.
pub fn fetch(
    ground: &Ground,
    origin: &Origin,
    update: &Update,
    trust: &Trust,
) -> Result<Candidate, Failure> {
    let folder = ground.library.join("incoming");
    if folder.exists() {
        folders::remove(&folder).context("removing what was fetched before")?;
    }
    ground.public_folder(&folder)?;
    let candidate = fetch_into(ground, &folder, origin, update, trust);
    folders::remove(&folder).context("removing what was fetched")?;
    candidate
}

fn fetch_into(
    ground: &Ground,
    folder: &Path,
    origin: &Origin,
    update: &Update,
    trust: &Trust,
) -> Result<Candidate, Failure> {
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
    if let Some(sums) = &fetched.sums {
        Seen::read(ground)?.judge(sums, trust, update.may_be_older)?;
    }
    let path = folder.join("appliance");
    release::unpack(&fetched.path, &path)?;
    release::check_platform(&path)?;
    // For everybody, whatever the mask of files says.
    ground.rights(0o755).give_to(&path)?;
    let program = Program::at(&path)?.or_kept(ground)?;
    if let Some(named) =
        fetched.version.as_ref().filter(|named| named.to_string() != program.version)
    {
        return Err(Error::invalid(format!(
            "The release is named version {named}, and the program in it is {}. Do not use it.",
            program.version
        ))
        .into());
    }
    program.keep(ground, &path)?;
    Ok(Candidate { program, fetched })
}

/// The last list that this machine took an update from. Who can answer in the place of the channel
/// could offer an old list, with an old version whose faults are known, and it would be signed as well.
#[derive(Default, Serialize, Deserialize)]
pub struct Seen {
    signed_at: Option<Timestamp>,
}

impl Seen {
    fn path(ground: &Ground) -> PathBuf {
        ground.library.join("channel.json")
    }

    fn read(ground: &Ground) -> Result<Self> {
        let path = Seen::path(ground);
        let Some(json) = files::read(&path)? else { return Ok(Seen::default()) };
        let seen = serde_json::from_slice(&json);
        Ok(seen.with_context(|| format!("reading {}", path.display()))?)
    }

    fn judge(&self, sums: &Sums, trust: &Trust, may_be_older: bool) -> Result<()> {
        let Some(seen_at) = self.signed_at.filter(|_| !may_be_older) else { return Ok(()) };
        if matches!(trust, Trust::Nobody) || sums.signed_at.is_some_and(|at| at >= seen_at) {
            return Ok(());
        }
        let when = match sums.signed_at {
            Some(at) => format!("was signed on {}", minute(at)),
            None => "does not say when it was signed".into(),
        };
        Err(Error::invalid(format!(
            "The list of releases {when}, and this machine has taken one from {} already: somebody \
             may be offering old versions. Try again later; if you want it all the same: \
             --allow-older.",
            minute(seen_at)
        )))
    }

    /// Notes that an update was made from this list.
    pub fn note(ground: &Ground, fetched: &Fetched) -> Result<()> {
        let signed_at = fetched.sums.as_ref().and_then(|sums| sums.signed_at);
        let before = Seen::read(ground)?;
        if !fetched.is_signed || signed_at <= before.signed_at {
            return Ok(());
        }
        let json =
            serde_json::to_vec_pretty(&Seen { signed_at }).map_err(|fault| anyhow!(fault))?;
        files::replace(&Seen::path(ground), json.as_slice(), ground.rights(0o644))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::SecretKey;

    #[test]
    fn a_list_that_is_older_than_the_last_one_is_refused() {
        let hash = "0".repeat(64);
        let list = |date: &str| Sums::parse(&format!("{date}{hash}  appliance\n")).unwrap();
        let old = list("# Signed: 2026-11-01T10:00:00Z\n");
        let new = list("# Signed: 2026-11-02T10:00:00Z\n");
        let undated = list("");
        let key = Trust::Key(SecretKey::generate().unwrap().public_key());
        let seen = Seen { signed_at: new.signed_at };
        seen.judge(&new, &key, false).unwrap();
        for refused in [&old, &undated] {
            let refused = seen.judge(refused, &key, false).unwrap_err().to_string();
            assert!(refused.contains("--allow-older"), "{refused}");
        }
        seen.judge(&old, &key, true).unwrap();
        // Whoever says that nobody need vouch for it is not told who did when.
        seen.judge(&old, &Trust::Nobody, false).unwrap();
        Seen::default().judge(&undated, &key, false).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let ground = Ground::below(folder.path());
        ground.public_folder(&ground.library).unwrap();
        let fetched = |sums: &Sums, is_signed| Fetched {
            path: PathBuf::new(),
            is_signed,
            is_compared: true,
            sums: Some(sums.clone()),
            version: None,
        };
        Seen::note(&ground, &fetched(&new, false)).unwrap();
        assert_eq!(Seen::read(&ground).unwrap().signed_at, None);
        Seen::note(&ground, &fetched(&new, true)).unwrap();
        Seen::note(&ground, &fetched(&old, true)).unwrap();
        assert_eq!(Seen::read(&ground).unwrap().signed_at, new.signed_at);
    }
}
