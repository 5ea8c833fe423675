//! The fields of an account, as the forms for a new and for a known person send and show them.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::AccountFields;
use crate::{
    app::{App, UserDetails},
    domain::{
        access::{Action, Role},
        groups::{self, Group},
        users::{Names, User},
    },
    error::{Error, Result as DomainResult},
    id::Id,
    web::{
        auth::Member,
        fault::Result,
        pages::{Choice, Difference, Seen, format, role_label},
    },
};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountForm {
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub role: String,
    pub groups: Vec<String>,
    pub is_admin: String,
    /// Only for a new person.
    pub password: String,
    /// Only for a known one: what the form showed.
    pub seen: Seen,
}

impl AccountForm {
    pub fn about(details: &UserDetails) -> Self {
        let user = &details.summary.user;
        AccountForm {
            username: user.username.clone(),
            email: user.email.clone(),
            full_name: user.full_name.clone(),
            role: details.summary.role.map(Role::name).unwrap_or_default().into(),
            groups: details.groups.iter().map(ToString::to_string).collect(),
            is_admin: if user.is_admin { "1".into() } else { String::new() },
            password: String::new(),
            seen: seen(user, details.summary.role, &details.groups.iter().copied().collect()),
        }
    }

    pub fn names(&self) -> Names {
        Names {
            full_name: self.full_name.clone(),
            username: self.username.clone(),
            email: self.email.clone(),
        }
    }

    pub fn role(&self) -> DomainResult<Role> {
        Role::from_name(&self.role)
    }

    pub fn is_admin(&self) -> bool {
        self.is_admin == "1"
    }

    /// # Errors
    /// `Invalid` for what the form has not offered.
    pub fn groups(&self) -> DomainResult<BTreeSet<Id<Group>>> {
        let ids = self.groups.iter().map(|id| id.parse());
        ids.collect::<Result<_, _>>()
            .map_err(|_| Error::invalid_field("groups", "One of the groups does not exist."))
    }

    pub async fn fields(&self, app: &App, member: &Member) -> Result<AccountFields> {
        let organization = member.organization;
        let groups = app
            .store
            .read(move |tx| {
                let all = groups::list(tx, organization)?.into_iter();
                let counted = all.map(|group| {
                    groups::member_count(tx, group.id).map(|members| (group, members))
                });
                counted.collect::<DomainResult<Vec<_>>>()
            })
            .await?;
        let groups = groups.into_iter().map(|(group, members)| {
            let id = group.id.to_string();
            Choice {
                selected: self.groups.contains(&id),
                value: id,
                label: group.name,
                detail: format::counted(members, "member", "members"),
            }
        });
        Ok(AccountFields {
            username: self.username.clone(),
            email: self.email.clone(),
            full_name: self.full_name.clone(),
            roles: roles(&self.role),
            groups: groups.collect(),
            seen: self.seen.clone(),
            is_instance_admin: self.is_admin(),
            may_set_instance_admin: member.may(Action::Operate),
        })
    }
}

impl AccountFields {
    /// From what was typed.
    pub fn differences(&self, own: &Self) -> Vec<Difference> {
        let text = |label, of: fn(&Self) -> String| (label, of(self), of(own));
        let mut fields = vec![
            text("Name", |it| it.full_name.clone()),
            text("Username", |it| it.username.clone()),
            text("Email", |it| it.email.clone()),
            text("Role", |it| Choice::chosen(&it.roles)),
            text("Groups", |it| Choice::chosen(&it.groups)),
        ];
        if self.may_set_instance_admin {
            let yes_or_no = |it: &Self| if it.is_instance_admin { "Yes" } else { "No" }.to_owned();
            fields.push(text("Administrator of the portal", yes_or_no));
        }
        Difference::among(fields)
    }
}

/// What the form shows of a known person.
pub fn seen(user: &User, role: Option<Role>, groups: &BTreeSet<Id<Group>>) -> Seen {
    let names = [&user.username, &user.email, &user.full_name].map(String::clone);
    let rights = [role.map(Role::name).unwrap_or_default().to_owned(), user.is_admin.to_string()];
    Seen::of(names.into_iter().chain(rights).chain(groups.iter().map(ToString::to_string)))
}

fn roles(chosen: &str) -> Vec<Choice> {
    let role = |role: Role| Choice {
        value: role.name().into(),
        label: role_label(role).into(),
        detail: meaning(role).into(),
        selected: role.name() == chosen,
    };
    Role::ALL.map(role).into()
}

fn meaning(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Finds, reads and downloads.",
        Role::Editor => "Also uploads, and changes what they added.",
        Role::Manager => "Also changes every document, and manages categories and groups.",
        Role::Admin => "Also manages people and settings, and sees the audit log.",
    }
}
