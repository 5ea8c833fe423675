//! Signs of life for the service manager: only while the portal really answers.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use crate::{
    app::{App, CertificateSource, HttpsStanding},
    host::service,
    web,
};

/// How often the manager is told how it goes, when it does not watch.
const EVERY: Duration = Duration::from_secs(30);

/// Runs until it is dropped. The event loop is alive because this runs; the doors and their workers
/// are asked from outside, and the store's writer by a write of nothing.
pub async fn run(app: Arc<App>, url: String) {
    let patience = service::watchdog();
    // Three signs in the time that one is allowed to take.
    let every = patience.map_or(EVERY, |patience| patience / 3);
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        next = Instant::now() + every;
        if patience.is_some() && is_alive(&app, every).await {
            service::alive();
        }
        service::status(&sentence(&app, &url).await);
    }
}

async fn is_alive(app: &App, patience: Duration) -> bool {
    let writer = timeout(patience, app.store.writer_answers());
    let doors = web::probe(app.https.doors(), &app.config);
    let (writer, doors) = tokio::join!(writer, doors);
    if let Err(fault) = &doors {
        tracing::error!("the server does not answer itself: {fault:#}");
    }
    let does_write = writer.unwrap_or(false);
    if !does_write {
        tracing::error!("the store's writer does not answer");
    }
    does_write && doors.is_ok()
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
