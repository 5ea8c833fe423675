//! The backups of this portal: where its plan puts them, and the keys that it has kept for them.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{
    Drilled, FOLDER, Found, Listed, Source,
    looking::{archives, list, prune, remove, unlock, verify},
    source,
};
use crate::{
    app::{App, Reporter},
    backup::{Key, Passphrase, Pruned, Retention, Signer, SignerKey, Signers, Trust},
    config::Config,
    domain::{
        access::{Action, Actor, decide},
        backups::{self, Plan, Standing},
        events::Verb,
    },
    error::{Error, Result},
    together::together,
};

/// The plan and how it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanView {
    pub plan: Plan,
    pub place: String,
    pub standing: Standing,
    /// By which key the backups of this portal are known; none before the first.
    #[serde(default)]
    pub signer: Option<SignerKey>,
}

impl PlanView {
    /// For eyes and logs.
    pub fn without_secrets(mut self) -> Self {
        if !self.plan.passphrase.is_empty() {
            self.plan.passphrase = "(set)".into();
        }
        self.plan.keys.clear();
        self.plan.signer.clear();
        self.plan.seals.clear();
        self
    }
}

impl App {
    pub async fn backup_plan(&self) -> Result<PlanView> {
        let plan = self.store.read(backups::plan).await?;
        let standing = self.backup_standing().await?;
        let place = place_of(&self.config, plan.repository.as_deref());
        let signer = match plan.signer.as_str() {
            "" => None,
            text => Some(Signer::from_text(text)?.public()),
        };
        Ok(PlanView { plan, place, standing, signer })
    }

    /// The backups at a place, or where the plan puts them.
    pub async fn backups(&self, place: Option<String>, key: Key) -> Result<Vec<Listed>> {
        let (place, key) = self.known_backups(place, key).await?;
        let signers = self.own_or(Signers::Any).await?;
        list(&self.config, &place, Trust { key, signers }).await
    }

    pub async fn verify_backups(
        &self,
        place: Option<String>,
        Trust { key, signers }: Trust,
        (all_data, mends): (bool, bool),
        reporter: &Reporter,
    ) -> Result<Found> {
        let (place, key) = self.known_backups(place, key).await?;
        let signers = self.own_or(signers).await?;
        verify(&self.config, &place, Trust { key, signers }, all_data, mends, reporter).await
    }

    pub async fn prune_backups(
        &self,
        place: Option<String>,
        key: Key,
        retention: Retention,
    ) -> Result<Pruned> {
        let (place, key) = self.known_backups(place, key).await?;
        let signers = self.own_or(Signers::Any).await?;
        prune(&self.config, &place, Trust { key, signers }, retention, &self.clock).await
    }

    pub async fn unlock_backups(&self, place: Option<String>) -> Result<u64> {
        let (place, _) = self.known_backups(place, Key::None).await?;
        unlock(&self.config, &place).await
    }

    /// Takes whatever repository is at a place from now on for the right one.
    pub async fn trust_repository(&self, actor: Actor, named: String) -> Result<()> {
        let place = source::place(&named)?.to_string();
        self.store.write(move |tx| backups::trust(tx, &actor, &place)).await?;
        // It is opened anew.
        *self.following.pause().await = None;
        Ok(())
    }

    pub async fn drill_backup(
        &self,
        place: Option<String>,
        key: Key,
        reporter: &Reporter,
    ) -> Result<Drilled> {
        let (place, key) = self.known_backups(place, key).await?;
        self.drill(Source::named(&place)?, key, reporter).await
    }

    /// What signs the backups of this portal: made once, and in every backup, so that a portal that was
    /// restored goes on with it.
    pub(super) async fn backup_signer(&self) -> Result<Signer> {
        let known = self.store.read(backups::plan).await?.signer;
        let text = match known.is_empty() {
            false => known,
            true => {
                let new = Signer::generate()?.to_text()?;
                self.store.write(move |tx| backups::found_signer(tx, new)).await?
            }
        };
        Signer::from_text(&text)
    }

    /// The key by which the backups of this portal are known.
    pub async fn backup_signer_key(&self) -> Result<SignerKey> {
        Ok(self.backup_signer().await?.public())
    }

    /// Whom somebody names, or else this portal itself, when it has signed anything yet.
    pub(super) async fn own_or(&self, named: Signers) -> Result<Signers> {
        let known = self.store.read(backups::plan).await?.signer;
        match named {
            Signers::Any if !known.is_empty() => {
                Ok(Signers::Own(Signer::from_text(&known)?.public()))
            }
            named => Ok(named),
        }
    }

    /// The backups where the plan puts them.
    pub async fn planned_backups(&self) -> Result<Vec<Listed>> {
        self.backups(None, Key::None).await
    }

    /// Whether such a plan could work.
    ///
    /// # Errors
    /// `Invalid` for a place, a public key or a passphrase that is none.
    pub fn check_backup_plan(&self, plan: &Plan) -> Result<()> {
        let place = plan.repository.as_deref().map(source::place).transpose();
        let sense = backups::makes_sense(plan, self.clock.now());
        together((place, super::plan::lock(plan).check(), sense)).map(drop)
    }

    /// Looks whether there is such an archive, for somebody who asks for it.
    pub fn look_at_archive(&self, actor: &Actor, name: &str) -> Result<()> {
        decide(actor, Action::Operate)?;
        self.archive_path(name).map(drop)
    }

    /// The archives of the folder, the oldest first, whatever the plan says.
    pub fn archives(&self) -> Result<Vec<Listed>> {
        archives(&self.config.data.join(FOLDER))
    }

    /// Opens an archive for somebody who takes it away, and notes that; with its size.
    ///
    /// # Errors
    /// `NotFound` for what is no archive in the folder.
    pub async fn take_archive(&self, actor: Actor, name: String) -> Result<(File, u64)> {
        decide(&actor, Action::Operate)?;
        let path = self.archive_path(&name)?;
        let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let size_bytes = file.metadata().context("looking at an archive")?.len();
        self.write_as(actor, move |tx, actor| {
            backups::note(tx, actor, Verb::BackupDownloaded, &name)
        })
        .await?;
        Ok((file, size_bytes))
    }

    /// Deletes an archive, or a snapshot of the repository of the plan.
    pub async fn delete_backup(&self, actor: Actor, id: String) -> Result<()> {
        decide(&actor, Action::Operate)?;
        match self.archive_path(&id) {
            Ok(path) => fs::remove_file(path).context("deleting an archive")?,
            Err(_) => {
                let (place, key) = self.known_backups(None, Key::None).await?;
                // Where the changes go on from is looked for anew.
                let mut following = self.following.pause().await;
                *following = None;
                remove(&self.config, &place, &key, &id, &self.clock).await?;
            }
        }
        self.write_as(actor, move |tx, actor| backups::note(tx, actor, Verb::BackupDeleted, &id))
            .await
    }

    /// An archive by its name; nothing else that a name may stand for.
    pub(super) fn archive_path(&self, name: &str) -> Result<PathBuf> {
        let folder = self.config.data.join(FOLDER);
        let known = archives(&folder)?.into_iter().any(|one| one.id == name);
        known
            .then(|| folder.join(name))
            .ok_or_else(|| Error::NotFound(format!("There is no backup {name}.")))
    }

    /// The place that was named or that the plan has, and the keys that open it.
    pub(super) async fn known_backups(
        &self,
        named: Option<String>,
        key: Key,
    ) -> Result<(String, Key)> {
        let plan = self.store.read(backups::plan).await?;
        let place = place_of(&self.config, named.as_deref().or(plan.repository.as_deref()));
        if key != Key::None {
            return Ok((place, key));
        }
        let is_archive = !matches!(Source::named(&place), Ok(Source::Repository(_)));
        let key = match is_archive {
            true if !plan.passphrase.is_empty() => Key::Passphrase(Passphrase(plan.passphrase)),
            true => Key::None,
            false if plan.keys.is_empty() => Key::None,
            false => Key::Identities(plan.keys.into_values().map(Passphrase).collect()),
        };
        Ok((place, key))
    }
}

/// A place that was named, or the folder of archives.
pub fn place_of(config: &Config, named: Option<&str>) -> String {
    let folder = || config.data.join(FOLDER).display().to_string();
    named.map_or_else(folder, str::to_owned)
}
