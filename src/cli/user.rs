//! `appliance user`: the accounts, from the shell.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Exit, Failure, Shell,
    ask::unexpected,
    output::{self, minute, table},
    passwords::PasswordSource,
};
use crate::{
    control::{Account, Added, NewAccount, Reply, Request},
    domain::access::Role,
};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add somebody; the first administrator also begins the organization
    Add(Add),
    /// List everybody
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give somebody another password; this signs them out everywhere
    Passwd {
        /// Username or e-mail address
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Lock somebody out; this signs them out everywhere
    Disable {
        /// Username or e-mail address
        name: String,
    },
    /// Let somebody in again who was locked out
    Enable {
        /// Username or e-mail address
        name: String,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// The username: letters, digits, dots, hyphens and underscores
    name: String,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The name that others see
    #[arg(long, value_name = "NAME", default_value = "")]
    full_name: String,
    /// Make an administrator of the whole portal, who may do everything
    #[arg(long, conflicts_with = "role")]
    admin: bool,
    /// What the person may do
    #[arg(long, default_value = "viewer", value_parser = ["viewer", "editor", "manager", "admin"])]
    role: String,
    /// The organization; the first administrator's is made [default for that: My organization]
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

pub fn run(shell: &Shell, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        Verb::Add(add) => run_add(shell, add),
        Verb::List { json } => list(shell, *json),
        Verb::Passwd { name, password } => passwd(shell, name, password),
        Verb::Disable { name } => {
            let user = changed(shell.ask(Request::UserDisable { login: name.clone() })?)?;
            output::print(&format!("{} can no longer sign in.\n", user.username))?;
            Ok(Exit::Done)
        }
        Verb::Enable { name } => {
            let user = changed(shell.ask(Request::UserEnable { login: name.clone() })?)?;
            output::print(&format!("{} can sign in again.\n", user.username))?;
            Ok(Exit::Done)
        }
    }
}

fn run_add(shell: &Shell, add: &Add) -> Result<Exit, Failure> {
    let role = Role::from_name(&add.role)?;
    let obtained = add.password.obtain(&[&add.name, &add.email])?;
    let reply = shell.ask(Request::UserAdd(NewAccount {
        username: add.name.clone(),
        email: add.email.clone(),
        full_name: add.full_name.clone(),
        password: obtained.password.clone(),
        is_administrator: add.admin,
        role,
        organization: add.organization.clone(),
    }))?;
    let Added { user, is_first } = match reply {
        Reply::UserAdded(added) => added,
        other => return Err(unexpected(&other)),
    };
    let place = user.memberships.first();
    let organization = place.map(|place| place.organization.as_str()).unwrap_or_default();
    let mut text = match is_first {
        true => format!("Began “{organization}” with its administrator {}.\n", user.username),
        false => format!("Added {} to “{organization}” as {}.\n", user.username, role_of(&user)),
    };
    if obtained.is_generated {
        text.push_str(&format!("Password: {}\n", obtained.password.0));
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

fn list(shell: &Shell, json: bool) -> Result<Exit, Failure> {
    let users = match shell.ask(Request::UserList)? {
        Reply::Users(users) => users,
        other => return Err(unexpected(&other)),
    };
    if json {
        output::print_json(&json!({ "users": users }))?;
        return Ok(Exit::Done);
    }
    let rows: Vec<[String; 5]> = users.iter().map(row).collect();
    output::print(&table(["USERNAME", "NAME", "E-MAIL", "ROLE", "LAST SIGN-IN"], &rows))?;
    Ok(Exit::Done)
}

fn row(user: &Account) -> [String; 5] {
    let signed_in = match (user.is_disabled, user.signed_in_at) {
        (true, _) => "disabled".into(),
        (false, Some(at)) => minute(at),
        (false, None) => "never".into(),
    };
    [user.username.clone(), user.full_name.clone(), user.email.clone(), role_of(user), signed_in]
}

fn role_of(user: &Account) -> String {
    match (user.is_administrator, user.memberships.as_slice()) {
        (true, _) => "administrator".into(),
        (false, []) => "no member".into(),
        (false, [place]) => place.role.name().into(),
        (false, places) => {
            let roles: Vec<String> = places
                .iter()
                .map(|place| format!("{} of {}", place.role.name(), place.organization))
                .collect();
            roles.join(", ")
        }
    }
}

fn passwd(shell: &Shell, name: &str, source: &PasswordSource) -> Result<Exit, Failure> {
    let obtained = source.obtain(&[name])?;
    let request = Request::UserPasswd { login: name.into(), password: obtained.password.clone() };
    let user = changed(shell.ask(request)?)?;
    let mut text = format!("{} has a new password and is signed out everywhere.\n", user.username);
    if obtained.is_generated {
        text.push_str(&format!("Password: {}\n", obtained.password.0));
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

fn changed(reply: Reply) -> Result<Account, Failure> {
    match reply {
        Reply::User(user) => Ok(user),
        other => Err(unexpected(&other)),
    }
}
