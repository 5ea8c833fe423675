//! Where the parts of an installed portal lie that an update exchanges, and who touches its data. On a
//! machine there is one; tests lay out others.

use std::path::{Path, PathBuf};

use super::records::{self, Outcome, Step};
use crate::{
    app::Changeover,
    error::Result,
    host::{
        files::{self, Rights},
        places::{CHANGEOVER_UNIT, DATA, LIBRARY, LOCKS, PROGRAM},
        processes::OWN_PROGRAM,
        systemd,
    },
};

#[derive(Clone)]
pub struct Ground {
    pub program: PathBuf,
    /// The versions that are kept, and what an update needs while it is under way.
    pub library: PathBuf,
    pub data: PathBuf,
    /// The line in the unit, by which systemd calls [`at_start`](super::exchange::at_start).
    pub unit_line: PathBuf,
    pub locks: PathBuf,
    /// The program that does all this.
    pub own: PathBuf,
    /// Who owns all this but the data.
    root: fn(u32) -> Rights,
    touch: fn(&Path, &Step) -> Result<Outcome>,
    read_units: fn(&Ground) -> Result<()>,
}

impl Ground {
    pub fn installed() -> Self {
        Ground {
            program: PROGRAM.into(),
            library: LIBRARY.into(),
            data: DATA.into(),
            unit_line: CHANGEOVER_UNIT.into(),
            locks: LOCKS.into(),
            own: OWN_PROGRAM.into(),
            root: Rights::root,
            touch: |_, step| records::ask(step),
            read_units: |_| systemd::reload(),
        }
    }

    /// Below one folder, where everything belongs to whoever runs the test.
    #[cfg(test)]
    pub fn below(folder: &Path) -> Self {
        Ground {
            program: folder.join("bin/appliance"),
            library: folder.join("lib"),
            data: folder.join("data"),
            unit_line: folder.join("units/appliance.service.d/changeover.conf"),
            locks: folder.into(),
            own: folder.join("bin/own"),
            root: Rights::own,
            touch: records::carry_out,
            read_units: |ground| ground.note_line(),
        }
    }

    /// What systemd knows of the line in the unit until it is asked to read it again.
    #[cfg(test)]
    pub fn line_as_read(&self) -> PathBuf {
        self.locks.join("line-as-read")
    }

    #[cfg(test)]
    fn note_line(&self) -> Result<()> {
        let content = files::read(&self.unit_line)?.unwrap_or_default();
        files::replace(&self.line_as_read(), content.as_slice(), self.rights(0o644))
    }

    pub fn rights(&self, mode: u32) -> Rights {
        (self.root)(mode)
    }

    /// Has systemd read its units anew.
    pub fn read_units(&self) -> Result<()> {
        (self.read_units)(self)
    }

    /// Has something done with the data, as the user who owns them.
    pub fn records(&self, step: Step) -> Result<Outcome> {
        (self.touch)(&self.data, &step)
    }

    pub fn changeover(&self) -> Changeover {
        Changeover::of(&self.data)
    }

    pub fn versions(&self) -> PathBuf {
        self.library.join("versions")
    }

    pub fn journal(&self) -> PathBuf {
        self.library.join("changeover.json")
    }

    /// The program that leads, whatever becomes of the others.
    pub fn updater(&self) -> PathBuf {
        self.library.join("updater")
    }

    /// Where the next program lies, so that a rename puts it in.
    pub fn next_program(&self) -> PathBuf {
        self.program.with_file_name(".appliance.next")
    }

    /// A folder that everybody may look into: the portal's user runs what is in it.
    pub fn public_folder(&self, path: &Path) -> Result<()> {
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            files::make_folder(folder, self.rights(0o755))?;
        }
        Ok(())
    }
}
