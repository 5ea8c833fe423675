//! What an account is known by, and that nobody else is.

use super::{BY_EMAIL, BY_USERNAME, NewUser, User};
use crate::{
    domain::text,
    error::{Error, Result},
    id::Id,
    store::ReadTx,
    together::together,
};

/// The names of an account, as they were typed or as they are stored.
#[derive(Clone, Debug)]
pub struct Names {
    pub full_name: String,
    pub username: String,
    pub email: String,
}

/// The names as they are stored, when nobody but `own` has them.
///
/// # Errors
/// `Invalid` or `Taken`, with everything that is wrong with them.
pub fn free_names(tx: &ReadTx, names: &Names, own: Option<Id<User>>) -> Result<Names> {
    let (full_name, username, email) = together((
        text::optional_line("full_name", &names.full_name, 100),
        free_username(tx, &names.username, own),
        free_email(tx, &names.email, own),
    ))?;
    Ok(Names { full_name, username, email })
}

impl NewUser {
    pub(super) fn names(&self) -> Names {
        Names {
            full_name: self.full_name.clone(),
            username: self.username.clone(),
            email: self.email.clone(),
        }
    }
}

fn free_username(tx: &ReadTx, username: &str, own: Option<Id<User>>) -> Result<String> {
    let username = text::username(username)?;
    match tx.find(&BY_USERNAME, &text::fold(&username))? {
        Some(taken) if Some(taken.id) != own => {
            Err(Error::taken("username", format!("The username “{username}” is taken.")))
        }
        _ => Ok(username),
    }
}

fn free_email(tx: &ReadTx, email: &str, own: Option<Id<User>>) -> Result<String> {
    let email = text::email(email)?;
    match tx.find(&BY_EMAIL, &text::fold(&email))? {
        Some(taken) if Some(taken.id) != own => {
            let message = format!("There is an account with the address “{email}” already.");
            Err(Error::taken("email", message))
        }
        _ => Ok(email),
    }
}
