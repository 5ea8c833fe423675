//! `SHA256SUMS`: which files a release has, and what is in them.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;

use super::{MACHINE, PURPOSE, PublicKey, SUMS};
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
    version::Version,
};

/// Begins the line that says when the list was signed; `sha256sum --check` passes over it.
const SIGNED: &str = "# Signed: ";

/// Files with their checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    files: Vec<(ContentHash, String)>,
    /// In its own words, which are signed too.
    pub signed_at: Option<Timestamp>,
}

impl Sums {
    pub fn parse(text: &str) -> Result<Self> {
        let entry = |line: &str| {
            line.split_once("  ")
                .and_then(|(hash, name)| Some((hash.parse().ok()?, name.to_owned())))
                .filter(|(_, name)| !name.is_empty() && !name.contains('/'))
                .ok_or_else(|| Error::invalid(format!("{SUMS} has a line that makes no sense.")))
        };
        let is_remark = |line: &&str| line.starts_with('#');
        let files = text.lines().filter(|line| !is_remark(line)).map(entry);
        let files = files.collect::<Result<Vec<_>>>()?;
        if files.is_empty() {
            return Err(Error::invalid(format!("{SUMS} names no file.")));
        }
        let mut dates = text.lines().filter_map(|line| line.strip_prefix(SIGNED));
        let signed_at = dates.next().map(str::parse).transpose();
        let signed_at = signed_at
            .map_err(|_| Error::invalid(format!("{SUMS} does not say when it was signed.")))?;
        Ok(Sums { files, signed_at })
    }

    /// The text of a list with another date.
    pub(super) fn dated(text: &str, at: Timestamp) -> String {
        let rest = text.split_inclusive('\n').filter(|line| !line.starts_with(SIGNED));
        let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
        format!("{SIGNED}{second}\n{}", rest.collect::<String>())
    }

    /// # Errors
    /// `Invalid` when the signature is not of this key.
    pub fn signed(text: &str, signature: &str, key: &PublicKey) -> Result<Self> {
        let is_good = BASE64_STANDARD.decode(signature.trim()).is_ok_and(|signature| {
            let message = [PURPOSE, text.as_bytes()].concat();
            UnparsedPublicKey::new(&ED25519, &key.0).verify(&message, &signature).is_ok()
        });
        if !is_good {
            return Err(Error::invalid(
                "The signature of the release is not by the expected key. Do not use it.",
            ));
        }
        Sums::parse(text)
    }

    pub fn hash_of(&self, name: &str) -> Option<ContentHash> {
        self.files.iter().find(|(_, known)| known == name).map(|(hash, _)| *hash)
    }

    /// The newest archive for this machine, by its name.
    pub fn newest(&self) -> Option<(Version, &str)> {
        let archives = self.files.iter().filter_map(|(_, name)| Some((version_in(name)?, &**name)));
        archives.max_by(|(one, _), (other, _)| one.cmp(other))
    }

    /// Compares every file in a folder with its checksum; gives their names.
    pub(super) fn compare(&self, folder: &Path) -> Result<Vec<String>> {
        for (expected, name) in &self.files {
            let found = Digest::of_file(&folder.join(name))
                .map_err(|error| Error::invalid(format!("{name} cannot be read: {error}.")))?;
            if found != *expected {
                return Err(Error::invalid(format!("{name} is not what its checksum says.")));
            }
        }
        Ok(self.files.iter().map(|(_, name)| name.clone()).collect())
    }
}

/// `.ci/release` names archives so: `appliance-0.1.0-x86_64-linux.tar.gz`.
pub(super) fn version_in(name: &str) -> Option<Version> {
    let middle = name.strip_prefix("appliance-")?.strip_suffix("-linux.tar.gz")?;
    middle.strip_suffix(MACHINE)?.strip_suffix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_archive_for_this_machine_is_found() {
        let hash = Digest::of(b"");
        let names = [
            format!("appliance-0.9.0-{MACHINE}-linux.tar.gz"),
            format!("appliance-0.10.0-{MACHINE}-linux.tar.gz"),
            format!("appliance-0.10.0-rc.1-{MACHINE}-linux.tar.gz"),
            "appliance-2.0.0-riscv64-linux.tar.gz".into(),
            "appliance-3.0.0.tar.gz".into(),
            "appliance".into(),
        ];
        let text: String = names.iter().map(|name| format!("{hash}  {name}\n")).collect();
        let sums = Sums::parse(&text).unwrap();
        let (version, name) = sums.newest().unwrap();
        assert_eq!((version.to_string().as_str(), name), ("0.10.0", names[1].as_str()));
        assert_eq!(sums.hash_of(name), Some(hash));
        assert_eq!(Sums::parse(&format!("{hash}  appliance\n")).unwrap().newest(), None);
        let date = "2026-11-22T10:00:00Z".parse().unwrap();
        let dated = Sums::dated(&Sums::dated(&text, Timestamp::UNIX_EPOCH), date);
        let read = Sums::parse(&dated).unwrap();
        assert_eq!((read.signed_at, &read.files), (Some(date), &sums.files));
        assert!(Sums::parse(&format!("# Signed: yesterday\n{text}")).is_err());
        for wrong in ["", "x\n", &format!("{hash} a\n"), &format!("{hash}  ../a\n")] {
            assert!(Sums::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
