//! Tries what a portal does all day, with data of its own that it takes away again: for `check` and
//! `doctor`.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::{App, Finding};
use crate::{
    blobs::{Backend, CheckStep, Outcome},
    error::{Error, Result},
};

/// More than this for something small, and people notice.
const SLOW_MS: u128 = 1_000;

impl App {
    /// Writes, reads and searches once.
    pub async fn probe(self: &Arc<Self>) -> Vec<Finding> {
        let begin = Instant::now();
        let records = self.probe_records().await;
        let records = judged("records", "A change was written and read", begin, records);
        let begin = Instant::now();
        let files = self.probe_files().await;
        let files = judged("file storage", "A file was written, read and removed", begin, files);
        let begin = Instant::now();
        let search = self.probe_search().await;
        let search = judged("search", "The search index was read", begin, search);
        let mut findings = vec![records, files, search];
        findings.extend(self.s3_finding().await);
        findings
    }

    async fn probe_records(&self) -> Result<()> {
        let written_at = self.store.write(|tx| Ok(tx.now())).await?;
        let read_at = self.store.read(|tx| Ok(tx.now())).await?;
        match read_at >= written_at {
            true => Ok(()),
            false => Err(Error::Internal(anyhow::anyhow!("the clock goes backwards"))),
        }
    }

    async fn probe_files(&self) -> Result<()> {
        // Unique, so that it is nobody's file.
        let content = format!("Appliance looks whether it can store files. {}", Uuid::new_v4());
        let mut incoming = self.blobs.begin(content.len() as u64, None).await?;
        incoming.write(content.as_bytes()).await?;
        let spooled = incoming.finish().await?;
        let read = self.blobs.open(spooled.hash, None).await?.read(content.len()).await;
        // While S3 is away nothing is removed; the keeper does so later, as with an upload that was
        // cut off.
        if let Err(fault) = self.blobs.remove(spooled.hash, Timestamp::MAX).await
            && !matches!(fault, Error::Busy { .. })
        {
            return Err(fault);
        }
        match read?.as_ref() == content.as_bytes() {
            true => Ok(()),
            false => Err(Error::Internal(anyhow::anyhow!("a file reads differently than written"))),
        }
    }

    async fn probe_search(&self) -> Result<()> {
        let index = self.index.clone();
        let status = tokio::task::spawn_blocking(move || index.status()).await;
        status.map_err(|fault| Error::Internal(fault.into()))?.map(drop)
    }

    /// Whether S3 lets us do what we need; `None` when no S3 is configured.
    pub(super) async fn s3_finding(&self) -> Option<Finding> {
        let steps = self.blobs.check_remote().await;
        let status = self.blobs.status().await.ok()?;
        let name = status.remote.as_ref().map(|remote| remote.name.clone())?;
        if steps.is_empty() {
            return None;
        }
        Some(judged_s3(&name, &steps, status.backend == Backend::S3))
    }
}

fn judged_s3(name: &str, steps: &[CheckStep], is_in_use: bool) -> Finding {
    let about = "S3 permissions";
    let failing = steps.iter().find_map(|step| match &step.outcome {
        Outcome::Fails { advice, detail } => Some((step, advice, detail)),
        _ => None,
    });
    if let Some((step, advice, detail)) = failing {
        let message = format!("“{}” ({}) fails on {name}: {detail}", step.what, step.permission);
        return match is_in_use {
            true => Finding::problem(about, message, advice),
            false => Finding::warning(about, message, advice),
        };
    }
    let missing = steps.iter().find_map(|step| match &step.outcome {
        Outcome::Missing(lost) => Some((step, lost)),
        _ => None,
    });
    match missing {
        Some((step, lost)) => Finding::warning(
            about,
            format!("“{}” is not allowed on {name}. {lost}", step.what),
            format!("Allow {} in the policy of the role.", step.permission),
        ),
        None => Finding::fine(about, format!("{name} allows all that is needed.")),
    }
}

fn judged(about: &str, what: &str, begin: Instant, outcome: Result<()>) -> Finding {
    let took_ms = begin.elapsed().as_millis();
    match outcome {
        Ok(()) if took_ms > SLOW_MS => Finding::warning(
            about,
            format!("{what}, which took {took_ms} ms."),
            "Look at what else uses the disk and the processor: top, iostat",
        ),
        Ok(()) => Finding::fine(about, format!("{what} in {took_ms} ms.")),
        Err(fault) => Finding::problem(
            about,
            format!("It does not work: {}", fault.chain()),
            "Look at “appliance logs” and “appliance doctor”.",
        ),
    }
}
