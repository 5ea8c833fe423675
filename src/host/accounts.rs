//! The users of the machine: one of them is the portal's own.

use std::path::Path;

use super::commands;
use crate::error::Result;

/// The ids of a user and of the user's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub user: u32,
    pub group: u32,
}

/// Looks a user up wherever this machine keeps them; `None` when there is none of that name.
pub fn find(name: &str) -> Result<Option<Ids>> {
    let Some(found) = commands::attempt("getent", ["passwd", name])? else { return Ok(None) };
    let mut fields = found.out.trim().split(':').skip(2).map(str::parse);
    Ok(match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Some(Ids { user, group }),
        _ => None,
    })
}

/// The home of a user; `None` when there is none of that name.
pub fn home(name: &str) -> Result<Option<String>> {
    let found = commands::attempt("getent", ["passwd", name])?;
    Ok(found.and_then(|found| found.out.trim().split(':').nth(5).map(str::to_owned)))
}

/// Adds a user as whom programs run and nobody signs in, with a group of the same name. One of an
/// earlier user, which stays as long as somebody else is in it, is taken.
pub fn add_system_user(name: &str, home: &Path) -> Result<()> {
    let (home, shell) = (home.to_string_lossy(), "/usr/sbin/nologin");
    let has_group = commands::attempt("getent", ["group", name])?.is_some_and(|it| it.is_success);
    let group = if has_group { format!("--gid={name}") } else { "--user-group".into() };
    let how = ["--system", &group, "--no-create-home", "--home-dir", &home, "--shell", shell, name];
    commands::run("useradd", how).map(drop)
}

/// Removes a user and the group of the same name.
pub fn remove_user(name: &str) -> Result<()> {
    commands::run("userdel", [name]).map(drop)
}
