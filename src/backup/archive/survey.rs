//! What an archive says of itself at its end, read before anything is taken from it: when its beginning
//! is lost, and always in format 1.

use std::{collections::HashSet, io::Read};

use anyhow::Context;

use super::{ArchiveReader, Item, Layout};
use crate::{
    backup::{Fault, Head, Key, Manifest, frames, frames::Window, sealing},
    error::Result,
    hash::ContentHash,
};

pub struct Survey {
    pub layout: Layout,
    pub head: Head,
    /// The hashes of the parts that belong to the backup.
    pub parts: HashSet<ContentHash>,
}

impl Survey {
    /// Reads an archive that can be opened again and again. `known` is its layout, unless that is to be
    /// found.
    ///
    /// # Errors
    /// A [`Fault`] when there is no manifest, or it is of a later format.
    pub fn of<R: Read + Send + 'static>(
        open: impl Fn() -> anyhow::Result<R>,
        key: &Key,
        known: Option<Layout>,
    ) -> Result<Self> {
        let layout = match known {
            Some(layout) => layout,
            None => layout_at_end(open()?, key)?.ok_or(Fault::NotABackup)?,
        };
        let manifest = last_manifest(ArchiveReader::open_as(layout, open()?, key)?)?;
        manifest.head.check()?;
        let parts = manifest.parts.iter().chain(&manifest.lists).map(|part| part.sha256).collect();
        Ok(Survey { layout, head: manifest.head, parts })
    }
}

/// The layout that the last bytes tell, or else the first.
fn layout_at_end(input: impl Read + Send + 'static, key: &Key) -> Result<Option<Layout>> {
    let mut window = Window::new(sealing::open_past_damage(input, key)?);
    window.look_ahead().context("reading the archive")?;
    let at_beginning = frames::begins_like_frame(window.bytes()).then_some(Layout::Plain);
    while !window.has_ended() {
        let passed = window.bytes().len().saturating_sub(frames::TRAILER_BYTES_MAX);
        window.pass(passed);
        window.look_ahead().context("reading the archive")?;
    }
    let bytes = window.bytes();
    Ok(match (frames::id_at_end(bytes), frames::ends_plainly(bytes)) {
        (Some(id), _) => Some(Layout::Marked(id)),
        (None, true) => Some(Layout::Plain),
        (None, false) => at_beginning,
    })
}

fn last_manifest(mut archive: ArchiveReader) -> Result<Manifest> {
    let (mut manifest, mut was_damaged) = (None, false);
    loop {
        match archive.next_item()? {
            Item::Manifest(found) => manifest = Some(found),
            Item::Damage => was_damaged = true,
            Item::End { .. } => break,
            Item::Head(_) | Item::Records { .. } | Item::List { .. } | Item::File { .. } => {}
        }
    }
    let missing = if was_damaged { Fault::NoManifest } else { Fault::CutOff };
    Ok(manifest.ok_or(missing)?)
}
