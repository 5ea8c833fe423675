//! The variables of the installed service, for verbs at a shell: what works on the service's data must
//! work with its settings and credentials.

use std::{env, fs, os::unix::process::CommandExt, path::Path, process::Command};

use anyhow::anyhow;

use super::Failure;
use crate::host::places::{DATA, ENVIRONMENT_FILE};

/// Begins the program anew with the variables of the service when its data are meant, for those that
/// the caller's environment does not have. Whoever may not read them goes on without.
///
/// # Errors
/// When the program cannot be begun anew.
pub fn adopt(data: &Path) -> Result<(), Failure> {
    if data != Path::new(DATA) {
        return Ok(());
    }
    let Ok(text) = fs::read_to_string(ENVIRONMENT_FILE) else { return Ok(()) };
    let missing: Vec<_> =
        pairs(&text).into_iter().filter(|(name, _)| env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = env::args_os().next() {
        command.arg0(name);
    }
    // It returns only when it fails.
    let fault = command.args(env::args_os().skip(1)).envs(missing).exec();
    Err(Failure::from(anyhow!(fault).context("beginning with the variables of the service")))
}

/// As systemd reads such a file: `NAME=value`, perhaps in quotes; other lines say nothing.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim(), unquoted(value.trim())))
        .filter(|(name, value)| !name.is_empty() && !value.contains('\0'))
        .collect()
}

fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_systemd_reads_it() {
        let text = "# AWS_ACCESS_KEY_ID=…\n\nAWS_ACCESS_KEY_ID=AKIA\n ; no=thing\nA='b c'\nB=\"=\"\nC=\"\nD";
        let wanted = [("AWS_ACCESS_KEY_ID", "AKIA"), ("A", "b c"), ("B", "="), ("C", "\"")];
        assert_eq!(pairs(text), wanted);
    }
}
