//! The drill: restores the newest backup into a scratch folder, opens it, and looks whether it would
//! do. Nothing of the running portal is touched.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Restore, Source, gathering::files_bytes, restore, staging::Keeping};
use crate::{
    app::{App, Reporter, create_private_folder},
    backup::{Key, Signers},
    blocking::blocking,
    config::{Config, S3Config, StorageConfig},
    error::Result,
    space,
};

/// What a drill found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Drilled {
    /// The moment that came back.
    pub at: Timestamp,
    pub records: u64,
    pub files: u64,
    /// That were read once more after they came back, and have the hashes that they are named by.
    #[serde(default)]
    pub files_read: u64,
    pub searches: u64,
    /// How many of the searches were for phrases in texts.
    #[serde(default)]
    pub phrases: u64,
    pub took_ms: u64,
    /// What was wrong; sentences.
    pub damages: Vec<String>,
    /// What is no damage, and yet should be known, such as that it is not signed; sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl App {
    /// Restores a backup into a scratch folder and looks at it: can every record, file and index
    /// entry be read, does every file have the hash that it is named by, and are documents found by
    /// their titles and by phrases in their texts?
    ///
    /// # Errors
    /// When it cannot be restored at all.
    pub async fn drill(&self, source: Source, key: Key, reporter: &Reporter) -> Result<Drilled> {
        let begin = std::time::Instant::now();
        let data = self.config.data.clone();
        blocking(move || remove_old_drills(&data)).await?;
        let has_room = self.has_room_for_files(&source).await?;
        let scratch = Scratch::make(&self.config.data)?;
        let wanted = Restore {
            source,
            key,
            replaces: false,
            keeps_sessions: true,
            at: None,
            snapshot: None,
            lineage: self.store.read(|tx| tx.lineage()).await?,
            signers: self.own_or(Signers::Any).await?,
        };
        // Files come back to this machine, wherever those of the portal are: one that is missing in the
        // backup must not be found there.
        let config = Config {
            data: scratch.folder.clone(),
            storage: StorageConfig {
                s3: S3Config { bucket: String::new(), ..self.config.storage.s3.clone() },
                ..StorageConfig::default()
            },
            ..self.config.clone()
        };
        let keeping = match has_room {
            true => Keeping::All,
            false => Keeping::Records,
        };
        let (restored, _) = restore::restore_into(
            &scratch.folder,
            &config,
            self.clock.clone(),
            &wanted,
            keeping,
            reporter,
        )
        .await?;
        let clock = self.clock.clone();
        let opened = blocking(move || App::open(config, clock)).await?;
        let mut damages = restored.damages;
        reporter.begin("Reading texts", None);
        let sample = self.sample_of(&opened, has_room, &mut damages).await?;
        let report = opened.check(true, reporter).await?;
        let found = report.damages.into_iter().filter(|damage| has_room || damage.part != "files");
        damages.extend(found.map(|damage| damage.what));
        let searched = opened.search_for(sample, &mut damages).await?;
        Ok(Drilled {
            at: restored.at,
            records: report.records,
            files: restored.files,
            files_read: if has_room { report.files } else { restored.files },
            searches: searched.searches,
            phrases: searched.phrases,
            took_ms: begin.elapsed().as_millis() as u64,
            damages,
            warnings: restored.warnings,
        })
    }

    /// Whether all files can come back to this disk, and the reserve for uploads stays free. If not,
    /// each one is read and its hash looked at, and none is kept.
    ///
    /// # Errors
    /// `Busy` when there is not even room for the records.
    async fn has_room_for_files(&self, source: &Source) -> Result<bool> {
        let reserve_bytes = self.reserve.bytes();
        let files_bytes = self.store.read(files_bytes).await?;
        let (data, source) = (self.config.data.clone(), source.clone());
        blocking(move || {
            let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
            // Records and index come back too; they grow on the way.
            let records_bytes = 2 * size(&data.join(App::DATABASE));
            space::require(&data, records_bytes, reserve_bytes)?;
            // Of somebody else's backup only the size of its archive is known.
            let files_bytes = match &source {
                Source::Archive(path) => files_bytes.max(size(path)),
                Source::Opened(_) | Source::Input | Source::Repository(_) => files_bytes,
            };
            Ok(space::require(&data, records_bytes + files_bytes, reserve_bytes).is_ok())
        })
        .await
    }
}

/// Removes what drills left behind that were cut off. Another one may be under way, and locks its own.
pub(in crate::app) fn remove_old_drills(data: &Path) -> Result<()> {
    for entry in fs::read_dir(data).context("looking for old drills")? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            fs::remove_dir_all(entry.path()).context("removing an old drill")?;
        }
    }
    Ok(())
}

/// A folder that is gone afterwards.
struct Scratch {
    folder: PathBuf,
    /// Says that somebody is at work in it.
    _lock: File,
}

const PREFIX: &str = "drill-";

impl Scratch {
    fn make(data: &Path) -> Result<Self> {
        let folder = data.join(format!("{PREFIX}{}", Uuid::new_v4()));
        create_private_folder(&folder).context("making a folder for the drill")?;
        let lock = File::open(&folder).context("locking the folder of the drill")?;
        lock.lock().context("locking the folder of the drill")?;
        Ok(Scratch { folder, _lock: lock })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_dir_all(&self.folder) {
            tracing::warn!("removing the folder of a drill: {fault}");
        }
    }
}
