//! Asks whoever is at the terminal before something that cannot be undone.

use std::io::{self, IsTerminal, Write};

use super::{Failure, output};
use crate::error::Error;

/// Goes on only when the word is typed.
///
/// # Errors
/// A wrong use when nobody can be asked: `--yes` says it beforehand. `declined`, a sentence, when
/// something else is typed.
pub fn typed(word: &str, consequences: &str, declined: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "{consequences} There is no terminal to ask whether to go on. Say so with --yes."
        )));
    }
    output::print(&format!("\n{consequences} Type “{word}” to go on: "))?;
    // What is on its way to the terminal must be there before the answer is read.
    let _shown = io::stdout().flush();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match read.is_ok() && answer.trim() == word {
        true => Ok(()),
        false => Err(Failure::from(Error::conflict(declined))),
    }
}
