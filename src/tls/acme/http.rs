//! The way to the ACME server: with limits on time, since it may be away, and with the certificates
//! that the configuration trusts.

use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{Request, header::RETRY_AFTER};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use crate::clock::Clock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
/// A server that asks for a longer pause is asked again after this one.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A client for one ACME server. Its clones are one.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    /// When the last answer that refused something asked for the next attempt.
    retry_after: Arc<Mutex<Option<Timestamp>>>,
}

impl Http {
    /// `ca_file`: certificates in PEM that are trusted beside the system's.
    pub fn new(ca_file: Option<&Path>) -> Result<Self> {
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .https_only(true);
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(|fault| {
                anyhow!("https.ca_file {} cannot be read: {fault}", path.display())
            })?;
            let trusted = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| {
                anyhow!("https.ca_file {} holds no certificate in PEM", path.display())
            })?;
            for certificate in trusted {
                client = client.add_root_certificate(certificate);
            }
        }
        let client = client.build().context("preparing to ask the certificate authority")?;
        Ok(Http { client, retry_after: Arc::default() })
    }

    /// Until when the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Timestamp> {
        *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let request = reqwest::Request::try_from(Request::from_parts(parts, body))
            .map_err(|fault| Error::Other(fault.into()))?;
        let response =
            self.client.execute(request).await.map_err(|fault| Error::Other(fault.into()))?;
        let is_refusal = response.status().is_client_error() || response.status().is_server_error();
        if is_refusal {
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner) =
                header.and_then(|text| moment(text, Clock::system().now()));
        }
        let (parts, body) = ::http::Response::from(response).into_parts();
        let body = body.collect().await.map_err(|fault| Error::Other(fault.into()))?.to_bytes();
        Ok(BytesResponse { parts, body: Box::new(body) })
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().send(request))
    }
}

/// Seconds from now, or a date (RFC 9110, 10.2.3).
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let at = match text.trim().parse::<u32>() {
        Ok(seconds) => now + SignedDuration::from_secs(seconds.into()),
        Err(_) => rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?,
    };
    Some(at.min(now + RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_in_both_ways_in_which_it_is_written() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let after = |text| moment(text, now).map(|at| at.duration_since(now).as_secs());
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sat, 21 Nov 2026 10:05:00 GMT"), Some(300));
        assert_eq!(after("4000000000"), Some(7 * 24 * 3_600));
        assert_eq!(after("soon"), None);
    }
}
