//! Has a request carried out, with a bar for how far it is.

use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{runtime, sync::watch};

use super::{Failure, Shell};
use crate::{
    app::{App, Reporter, Step},
    control::{Reply, Request, ask_or_open, without_portal},
};

impl Shell {
    /// Asks the running server, or does it here when none runs.
    pub fn ask(&self, request: Request) -> Result<Reply, Failure> {
        runtime()?.block_on(async {
            let (reporter, steps) = Reporter::new();
            let bar = tokio::spawn(show(steps));
            let reply = ask_or_open(&self.config, request, &reporter).await;
            drop(reporter);
            // It ends with the reporter; a bar that cannot be drawn is no reason to fail.
            let _drawn = tokio::time::timeout(Duration::from_secs(1), bar).await;
            Ok(reply?)
        })
    }

    /// [`ask`](Self::ask), for what can be done on a host without a portal too.
    pub fn ask_even_without_portal(&self, request: Request) -> Result<Reply, Failure> {
        if self.config.data.join(App::DATABASE).exists() {
            return self.ask(request);
        }
        let unheard = Reporter::unheard();
        match runtime()?.block_on(without_portal(&self.config, &request, &unheard)) {
            Some(reply) => Ok(reply?),
            None => self.ask(request),
        }
    }
}

/// What a server answers to a question that was not asked.
pub fn unexpected(reply: &Reply) -> Failure {
    Failure::from(anyhow::anyhow!(
        "the running server gave an answer to another question ({reply:?}); restart it, so that \
         both are the same version"
    ))
}

pub fn runtime() -> Result<runtime::Runtime, Failure> {
    Ok(runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the threads of the program")?)
}

/// Draws on the standard error while it is a terminal, until the reporter is gone.
pub(super) async fn show(mut steps: watch::Receiver<Step>) {
    let bar = ProgressBar::no_length();
    while steps.changed().await.is_ok() {
        let step = steps.borrow_and_update().clone();
        if step.what.is_empty() {
            continue;
        }
        bar.set_style(style(&step));
        bar.set_message(step.what);
        match step.total {
            Some(total) => bar.set_length(total.max(step.done)),
            None => bar.unset_length(),
        }
        bar.set_position(step.done);
    }
    bar.finish_and_clear();
}

fn style(step: &Step) -> ProgressStyle {
    let template = match step.total {
        Some(_) => "{msg} {wide_bar} {human_pos}/{human_len}",
        None => "{msg} {human_pos}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
