//! `appliance release`: for whoever publishes the program: a key, signatures, and their check.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, Failure, output};
use crate::{
    clock::Clock,
    host::files::{self, Rights},
    release::{self, PublicKey, SecretKey},
};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key for signing; prints the public one, which the program is built with
    Keygen {
        /// Where the secret key goes; never to a server
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Sign SHA256SUMS in the folder of a release
    Sign {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// The secret key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Check the signature of a release, and every file that it names
    Verify {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// The public key [default: the one that this program was built with]
        #[arg(long, value_name = "KEY")]
        public_key: Option<String>,
    },
}

pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        Verb::Keygen { file } => {
            if file.exists() {
                return Err(Failure::usage(format!(
                    "{} exists. A key that releases were signed with is not replaced by accident: \
                     name another file.",
                    file.display()
                )));
            }
            let key = SecretKey::generate()?;
            files::replace(file, format!("{}\n", key.to_text()?).as_bytes(), Rights::own(0o600))?;
            output::print(&format!("{}\n", key.public_key().to_text()))?;
        }
        Verb::Sign { folder, key } => {
            let text = fs::read_to_string(key).map_err(|error| {
                Failure::usage(format!("The key {} cannot be read: {error}.", key.display()))
            })?;
            let now = Clock::system().now();
            let names = release::sign(folder, &SecretKey::from_text(&text)?, now)?;
            output::print(&format!("Signed: {}.\n", names.join(", ")))?;
        }
        Verb::Verify { folder, public_key } => {
            let key = match public_key {
                Some(text) => Some(PublicKey::from_text(text)?),
                None => PublicKey::built_in()?,
            };
            let key = key.ok_or_else(|| {
                Failure::usage("This program was built without a key. Name one with --public-key.")
            })?;
            let names = release::verify(folder, &key)?;
            output::print(&format!("The signature is good for {}.\n", names.join(", ")))?;
        }
    }
    Ok(Exit::Done)
}
