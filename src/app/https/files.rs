//! A certificate of one's own: read from its files, and again when they change.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use jiff::Timestamp;

use crate::{
    app::App,
    config::HttpsConfig,
    domain::certificates::Fault,
    hash::{ContentHash, Digest},
    tls::KeyPair,
};

const BYTES_MAX: u64 = 1 << 20;

/// What was read last.
#[derive(Default)]
pub struct Files {
    /// Stays when what comes after cannot be used: a file may be half-written at this moment.
    pub pair: Option<KeyPair>,
    pub fault: Option<Fault>,
    /// Of both files, as they were then.
    seen: Option<ContentHash>,
}

impl App {
    /// Reads the files when they have changed; true when what is shown changes by it.
    pub(super) async fn read_certificate_files(&self) -> bool {
        let config = self.config.https.clone();
        if !config.has_own_files() {
            return false;
        }
        let mut files = self.https.files.lock().await;
        let (seen, now) = (files.seen, self.clock.now());
        let read = tokio::task::spawn_blocking(move || read(&config, seen)).await;
        match read {
            // Perhaps again, after something else that could not be used.
            Ok(Ok(None)) => {
                files.fault = None;
                false
            }
            Ok(Ok(Some((hash, pair)))) => {
                tracing::info!(names = pair.names.join(", "), until = %pair.valid_until, "took over the certificate file");
                *files = Files { pair: Some(pair), fault: None, seen: Some(hash) };
                true
            }
            Ok(Err(unusable)) => {
                files.note(unusable, now);
                false
            }
            Err(fault) => {
                let message = format!("A fault while reading the certificate: {fault}.");
                files.note(Unusable { message, advice: CORRECT }, now);
                false
            }
        }
    }
}

/// Why the files are not taken over, and what to do.
struct Unusable {
    message: String,
    advice: &'static str,
}

const CORRECT: &str = "Correct the file: it is read by itself.";
const LET_READ: &str = "The user that the portal runs as must be able to read it, and the service sees \
     neither /root nor /home. Put a copy there: install -g appliance -m 640 FILE /etc/appliance/. It \
     is read by itself.";

impl Files {
    fn note(&mut self, Unusable { message, advice }: Unusable, now: Timestamp) {
        if self.fault.as_ref().is_some_and(|fault| fault.message == message) {
            return;
        }
        tracing::error!("{message}");
        let shown = match self.pair {
            Some(_) => "The one from before is used.",
            None => "A self-signed one is used.",
        };
        self.fault = Some(Fault { at: now, message, remedy: format!("{shown} {advice}") });
    }
}

/// `None` when both are as they were.
fn read(
    config: &HttpsConfig,
    seen: Option<ContentHash>,
) -> Result<Option<(ContentHash, KeyPair)>, Unusable> {
    let chain = content("https.certificate_file", &config.certificate_file)?;
    let key = content("https.key_file", &config.key_file)?;
    let hash = Digest::of(&[chain.as_slice(), b"\n", key.as_slice()].concat());
    if seen == Some(hash) {
        return Ok(None);
    }
    let pair = KeyPair::from_pem(&chain, &key).map_err(|fault| {
        let (chain, key) = (config.certificate_file.display(), config.key_file.display());
        let message =
            format!("The certificate in {chain} with the key in {key} cannot be used: {fault:#}.");
        Unusable { message, advice: CORRECT }
    })?;
    Ok(Some((hash, pair)))
}

fn content(setting: &str, path: &Path) -> Result<Vec<u8>, Unusable> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    let read = read.and_then(|_| match bytes.len() as u64 > BYTES_MAX {
        true => Err(io::Error::other("it is larger than 1 MiB")),
        false => Ok(()),
    });
    read.map_err(|fault| Unusable {
        message: format!("{setting}: {} cannot be read: {fault}.", path.display()),
        advice: match fault.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => LET_READ,
            _ => CORRECT,
        },
    })?;
    Ok(bytes)
}
