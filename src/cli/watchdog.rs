//! Signs of life for the service manager: only while the portal really answers.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    app::{App, CertificateSource, HttpsStanding},
    host::{limits, service},
    web::{self, Heard},
};

/// How often the manager is told how it goes, when it does not watch.
const EVERY: Duration = Duration::from_secs(30);
/// So long at most nobody can be asked between two portals: the time to finish what is in flight, to
/// close the one, and to open the other.
const BETWEEN_MAX: Duration = Duration::from_secs(300);
/// So long it may lack the descriptor to ask itself with: visitors who took them leave again, and to end
/// it would cut off all of them. After that they are taken for lost.
const FULL_MAX: Duration = Duration::from_secs(300);

/// Runs until it is dropped. The event loop is alive because this runs; the doors and their workers
/// are asked from outside, and the store's writer by a write of nothing.
pub async fn run(app: Arc<App>, url: String) {
    let patience = service::watchdog();
    let every = every(patience);
    let mut next = Instant::now();
    let mut heard_at = next;
    loop {
        tokio::time::sleep_until(next).await;
        next = Instant::now() + every;
        if patience.is_some() && is_alive(&app, every, &mut heard_at).await {
            service::alive();
        }
        service::status(&sentence(&app, &url).await);
    }
}

/// Signs of life while one portal takes the place of another in this process, when there are no doors
/// to ask at. Ends when it is dropped, and after a time, for something may hang.
pub struct Between(JoinHandle<()>);

impl Between {
    pub fn begin() -> Self {
        service::status("beginning again with what was restored");
        let every = every(service::watchdog());
        Between(tokio::spawn(async move {
            let begin = Instant::now();
            while begin.elapsed() < BETWEEN_MAX {
                service::alive();
                tokio::time::sleep(every).await;
            }
        }))
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Three signs in the time that one is allowed to take.
fn every(patience: Option<Duration>) -> Duration {
    patience.map_or(EVERY, |patience| patience / 3)
}

/// `heard_at` is when somebody answered at the doors the last time.
async fn is_alive(app: &App, patience: Duration, heard_at: &mut Instant) -> bool {
    let writer = timeout(patience, app.store.writer_answers());
    let doors = web::probe(app.https.doors(), &app.config);
    let (writer, doors) = tokio::join!(writer, doors);
    match &doors {
        Ok(Heard::Welcome) => {}
        Ok(refusal) => tracing::warn!("the server turns itself away: {refusal}"),
        Err(fault) => tracing::error!("the server does not answer itself: {fault:#}"),
    }
    if doors.is_ok() {
        *heard_at = Instant::now();
    }
    let is_full = doors.as_ref().is_err_and(limits::is_out_of_files);
    let does_write = writer.unwrap_or(false);
    if !does_write {
        tracing::error!("the store's writer does not answer");
    }
    does_write && (doors.is_ok() || is_full && heard_at.elapsed() < FULL_MAX)
}

/// For `systemctl status`.
pub async fn sentence(app: &App, url: &str) -> String {
    let url = app.public_url().unwrap_or_else(|| url.to_owned());
    let certificate = match app.https_standing().await {
        Ok(standing) => of_certificates(&standing),
        Err(_) => String::new(),
    };
    format!("running on {url}{certificate}")
}

fn of_certificates(standing: &HttpsStanding) -> String {
    let until = standing.certificates.iter().map(|one| one.valid_until).min().flatten();
    let fault = standing.certificates.iter().find_map(|one| one.fault.as_ref());
    match (standing.source, fault, until) {
        (CertificateSource::None, ..) => String::new(),
        (CertificateSource::SelfSigned, ..) => ", with a self-signed certificate".into(),
        (_, Some(fault), _) => format!(", certificate: {}", fault.message),
        (_, None, Some(until)) => format!(", certificate until {}", until.strftime("%Y-%m-%d")),
        (_, None, None) => ", certificate on its way".into(),
    }
}
