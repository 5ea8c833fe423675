//! The people of the sample organization and the groups they are in.

use std::sync::Arc;

use super::{App, ORGANIZATION};
use crate::{
    domain::{
        access::{Actor, Role},
        groups::{self, Group},
        organizations::Organization,
        setup::{self, Setup},
        users::{self, NewUser, User},
    },
    error::Result,
    id::Id,
    store::WriteTx,
};

pub(super) struct People {
    pub organization: Id<Organization>,
    pub clara: User,
    pub tomas: User,
    pub jonas: User,
    pub ines: User,
    pub mira: User,
    pub committee: Id<Group>,
    pub studio: Id<Group>,
}

impl People {
    pub fn with_roles(self) -> Vec<(User, &'static str)> {
        vec![
            (self.clara, "administrator"),
            (self.tomas, "manager"),
            (self.jonas, "editor"),
            (self.ines, "editor"),
            (self.mira, "viewer"),
        ]
    }
}

/// Adds everybody, with the same password.
pub(super) async fn add(app: &Arc<App>, password: &str) -> Result<People> {
    let password = app.new_password(password.into(), &[]).await?;
    let first = Setup {
        organization: ORGANIZATION.into(),
        username: "clara".into(),
        email: "clara@alder-loom.example".into(),
        full_name: "Clara Lindholm".into(),
        password: password.clone(),
    };
    let member = move |username: &str, full_name: &str, role| NewUser {
        username: username.into(),
        email: format!("{username}@alder-loom.example"),
        full_name: full_name.into(),
        password: password.clone(),
        is_admin: false,
        role,
    };
    app.store
        .write(move |tx| {
            let (organization, clara) = setup::run(tx, first)?;
            let organization = organization.id;
            let actor = Actor::load(tx, &clara, Some(organization))?;
            // Added by a person, they would be asked for a password of their own before anything else.
            let nobody = Actor::system("Demo", Some(organization));
            let join = |tx: &mut WriteTx, username, full_name, role| {
                users::create(tx, &nobody, organization, member(username, full_name, role))
            };
            let tomas = join(tx, "tomas", "Tomas Berg", Role::Manager)?;
            let jonas = join(tx, "jonas", "Jonas Aalto", Role::Editor)?;
            let ines = join(tx, "ines", "Inès Moreau", Role::Editor)?;
            let mira = join(tx, "mira", "Mira Kaya", Role::Viewer)?;
            let committee = group(
                tx,
                &actor,
                organization,
                "Investment committee",
                "Decides what is bought and sold.",
                &[&clara, &tomas, &jonas],
            )?;
            let studio = group(
                tx,
                &actor,
                organization,
                "Studio",
                "Designs, prints, and sells cloth.",
                &[&ines, &tomas],
            )?;
            Ok(People { organization, clara, tomas, jonas, ines, mira, committee, studio })
        })
        .await
}

fn group(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    name: &str,
    description: &str,
    members: &[&User],
) -> Result<Id<Group>> {
    let group = groups::create(tx, actor, organization, name, description)?;
    for member in members {
        groups::add_member(tx, actor, organization, group.id, member.id)?;
    }
    Ok(group.id)
}
