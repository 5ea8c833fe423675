//! Where a password comes from: a file, a terminal, or made up here.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::Args;

use super::Failure;
use crate::{control::Password, domain::passwords};

/// More is no password.
const FILE_BYTES_MAX: u64 = 4_096;
const TRIES_MAX: usize = 3;

#[derive(Debug, Args)]
pub struct PasswordSource {
    /// Read the password from the first line of a file; "-" is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    password_file: Option<PathBuf>,
    /// Make up a good password and print it
    #[arg(long)]
    generate: bool,
}

/// A password, and whether the person at the shell has yet to learn it.
pub struct Obtained {
    pub password: Password,
    pub is_generated: bool,
}

impl PasswordSource {
    /// Reads, asks for, or makes the password. `names` are what it must not repeat.
    pub fn obtain(&self, names: &[&str]) -> Result<Obtained, Failure> {
        if self.generate {
            return Ok(Obtained { password: Password(passwords::generate()?), is_generated: true });
        }
        let password = match &self.password_file {
            Some(path) => from_file(path, names)?,
            None if io::stdin().is_terminal() => return prompt(names),
            None => {
                return Err(Failure::usage(
                    "There is no terminal to ask for a password. Give it with --password-file, or \
                     have one made with --generate.",
                ));
            }
        };
        Ok(Obtained { password, is_generated: false })
    }
}

/// The first line of a file, when it is a good password.
pub fn from_file(path: &Path, names: &[&str]) -> Result<Password, Failure> {
    let password = read(path)?;
    passwords::accept(&password.0, names)?;
    Ok(password)
}

fn read(path: &Path) -> Result<Password, Failure> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text),
        _ => File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)),
    };
    if let Err(error) = read {
        let path = path.display();
        return Err(Failure::usage(format!("The password file {path} cannot be read: {error}.")));
    }
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let path = path.display();
        return Err(Failure::usage(format!(
            "The first line of the password file {path} is empty."
        )));
    }
    Ok(Password(line.into()))
}

fn prompt(names: &[&str]) -> Result<Obtained, Failure> {
    for _ in 0..TRIES_MAX {
        let password = ask("Password: ")?;
        if let Err(refusal) = passwords::accept(&password, names) {
            eprintln!("{refusal}");
            continue;
        }
        if ask("Repeat it: ")? == password {
            return Ok(Obtained { password: Password(password), is_generated: false });
        }
        eprintln!("The two are not the same. Try again.");
    }
    Err(Failure::usage("No password was given."))
}

fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt)
        .map_err(|error| Failure::usage(format!("The password could not be asked for: {error}.")))
}
