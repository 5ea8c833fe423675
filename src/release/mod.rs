//! Releases: signed (Ed25519, RFC 8032) by who publishes, fetched and looked at by who updates.
//!
//! Who publishes signs the list of checksums that lies beside the archives, `SHA256SUMS`, and with it
//! every file that it names, under the name that says version and platform. The secret key stays with
//! the one who publishes; the public one is in the program that checks what it is given. The list says
//! when it was signed, so that an old one cannot pass for the newest. A folder or
//! an address with these files is all that a channel of updates needs: the list says what is newest.
//!
//! [`Sums`], the list · [`fetch`](fetching), from a file or an address · [`unpack`](unpacking), the
//! program out of its archive · [`platform`], whether it is one for this machine.

mod fetching;
mod platform;
mod sums;
mod unpacking;

use std::{fs, fs::File, io::Read, path::Path};

use anyhow::{Context, anyhow};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;

pub use self::{
    fetching::{Fetched, Origin, Trust, fetch, look},
    platform::{MACHINE, check_platform},
    sums::Sums,
    unpacking::unpack,
};
use crate::error::{Error, Result};

/// The list of checksums in the folder of a release, as `sha256sum` writes it.
pub const SUMS: &str = "SHA256SUMS";
pub const SIGNATURE: &str = "SHA256SUMS.sig";

/// In front of what is signed, so that a signature is good for nothing else.
const PURPOSE: &[u8] = b"Appliance release\n";
const SUMS_BYTES_MAX: u64 = 1 << 20;

/// The key of whoever publishes.
pub struct SecretKey(Ed25519KeyPair);

impl SecretKey {
    pub fn generate() -> Result<Self> {
        let pair = Ed25519KeyPair::generate().map_err(|_| anyhow!("no key could be made"))?;
        Ok(SecretKey(pair))
    }

    /// One line of text (PKCS#8 in Base64), to be kept secret.
    pub fn to_text(&self) -> Result<String> {
        let document = self.0.to_pkcs8().map_err(|_| anyhow!("the key cannot be written"))?;
        Ok(BASE64_STANDARD.encode(document.as_ref()))
    }

    pub fn from_text(text: &str) -> Result<Self> {
        let refused = || Error::invalid("This is no secret key of “appliance release keygen”.");
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| refused())?;
        Ok(SecretKey(Ed25519KeyPair::from_pkcs8(&bytes).map_err(|_| refused())?))
    }

    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }
}

/// By which signatures are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// The key that this program was built with; `None` when whoever built it publishes nothing.
    pub fn built_in() -> Result<Option<Self>> {
        option_env!("APPLIANCE_RELEASE_KEY").map(PublicKey::from_text).transpose()
    }

    pub fn to_text(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    pub fn from_text(text: &str) -> Result<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok().filter(|bytes| bytes.len() == 32);
        let refused = || Error::invalid("This is no public key of “appliance release keygen”.");
        bytes.map(PublicKey).ok_or_else(refused)
    }
}

/// Signs the checksums in a folder, after looking whether they are right, and writes the time into
/// them: whoever has taken a later list does not take this one.
pub fn sign(folder: &Path, key: &SecretKey, now: Timestamp) -> Result<Vec<String>> {
    let text = Sums::dated(&sums(folder)?, now);
    let names = Sums::parse(&text)?.compare(folder)?;
    let signature = key.0.sign(&[PURPOSE, text.as_bytes()].concat());
    let signature = BASE64_STANDARD.encode(signature.as_ref()) + "\n";
    fs::write(folder.join(SUMS), text).context("writing the list")?;
    fs::write(folder.join(SIGNATURE), signature).context("writing the signature")?;
    Ok(names)
}

/// Gives the names of the files that a key vouches for.
///
/// # Errors
/// `Invalid` when the signature is not of this key, or a file is not what was signed.
pub fn verify(folder: &Path, key: &PublicKey) -> Result<Vec<String>> {
    let signature = fs::read_to_string(folder.join(SIGNATURE)).map_err(|error| {
        Error::invalid(format!("The release has no signature that can be read: {error}."))
    })?;
    Sums::signed(&sums(folder)?, &signature, key)?.compare(folder)
}

fn sums(folder: &Path) -> Result<String> {
    let path = folder.join(SUMS);
    let mut text = String::new();
    let read =
        File::open(&path).and_then(|file| file.take(SUMS_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| Error::invalid(format!("{} cannot be read: {error}.", path.display())))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Digest;

    #[test]
    fn a_signature_is_good_for_this_release_and_this_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (program, sums) = (folder.join("appliance-1-x86_64-linux.tar.gz"), folder.join(SUMS));
        fs::write(&program, "a program").unwrap();
        let list = format!("{}  appliance-1-x86_64-linux.tar.gz\n", Digest::of(b"a program"));
        fs::write(&sums, &list).unwrap();

        let key = SecretKey::from_text(&SecretKey::generate().unwrap().to_text().unwrap()).unwrap();
        let public = PublicKey::from_text(&key.public_key().to_text()).unwrap();
        assert!(verify(folder, &public).is_err(), "nobody has signed");
        sign(folder, &key, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(verify(folder, &public).unwrap(), ["appliance-1-x86_64-linux.tar.gz"]);

        let stranger = SecretKey::generate().unwrap();
        assert!(verify(folder, &stranger.public_key()).is_err());
        let list = fs::read_to_string(&sums).unwrap();
        fs::write(&sums, list.replace("1970", "2070")).unwrap();
        assert!(verify(folder, &public).is_err(), "another date");
        fs::write(&sums, list.replace("-1-", "-2-")).unwrap();
        assert!(verify(folder, &public).is_err(), "another version");
        fs::write(&sums, &list).unwrap();
        fs::write(&program, "b program").unwrap();
        assert!(verify(folder, &public).is_err(), "another program");
        assert!(sign(folder, &key, Timestamp::UNIX_EPOCH).is_err(), "what is wrong is not signed");
        fs::write(&sums, format!("{}  ../etc\n", Digest::of(b""))).unwrap();
        assert!(sign(folder, &key, Timestamp::UNIX_EPOCH).is_err());
    }
}
