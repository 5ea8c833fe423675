//! What the service manager is told (sd_notify(3)); nothing happens where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

/// The server answers.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A sentence for `systemctl status`.
pub fn status(sentence: &str) {
    tell(&[NotifyState::Status(sentence)]);
}

pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in flight")]);
}

/// A sign of life; without one for [`watchdog`] the manager ends the process.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// After what time without a sign of life the manager acts; `None` when it does not watch.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("telling the service manager: {error}");
    }
}
