//! What an error of S3 means: for the breaker, and in words for whoever can mend it.

use object_store::client::{HttpError, HttpErrorKind};

use super::renewing::NoCredentials;

const CLOCK_IS_WRONG: &str =
    "The clock of this machine is wrong. Set it: timedatectl set-ntp true.";

/// An error of S3, taken apart.
#[derive(Clone, Debug)]
pub struct Fault {
    origin: Origin,
    /// Such as `SlowDown`, when the answer had one.
    pub code: String,
    /// All that is known.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// An HTTP answer with this status.
    Answer(u16),
    /// There was none, or not all of it; the reason when it is known.
    Silence(Option<HttpErrorKind>),
    /// Whoever hands out credentials gave none: S3 was not even asked.
    Credentials,
}

impl Fault {
    pub fn of(error: &object_store::Error) -> Self {
        let mut text = error.to_string();
        let (mut connection, mut has_credentials) = (None, true);
        let mut next = std::error::Error::source(error);
        while let Some(source) = next {
            has_credentials &= !source.is::<NoCredentials>();
            if let Some(http) = source.downcast_ref::<HttpError>() {
                connection = Some(http.kind());
            }
            // Some repeat their source in their own words, some do not.
            let words = source.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            next = source.source();
        }
        if !has_credentials {
            return Fault { origin: Origin::Credentials, code: String::new(), text };
        }
        let origin = status(error, &text).map_or(Origin::Silence(connection), Origin::Answer);
        Fault { origin, code: tag(&text, "Code"), text }
    }

    /// Of an answer that we asked for ourselves.
    pub fn of_answer(status: u16, body: &str) -> Self {
        let text =
            format!("the answer is {status}: {}", body.chars().take(2_000).collect::<String>());
        Fault { origin: Origin::Answer(status), code: tag(body, "Code"), text }
    }

    /// Of an answer that broke off, or never came.
    pub fn of_silence(text: String) -> Self {
        Fault { origin: Origin::Silence(None), code: String::new(), text }
    }

    pub fn of_connection(error: &reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut next = std::error::Error::source(error);
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        let kind = match error {
            error if error.is_timeout() => HttpErrorKind::Timeout,
            error if error.is_connect() => HttpErrorKind::Connect,
            _ => HttpErrorKind::Request,
        };
        Fault { origin: Origin::Silence(Some(kind)), code: String::new(), text }
    }

    fn status(&self) -> Option<u16> {
        match self.origin {
            Origin::Answer(status) => Some(status),
            Origin::Silence(_) | Origin::Credentials => None,
        }
    }

    /// Whether other requests will fail as well: nothing answers, S3 has too much to do or says that
    /// it is broken, or it does not know us or our bucket (any more).
    pub fn is_outage(&self) -> bool {
        match self.status() {
            None => true,
            // It will not know that kind of request tomorrow either; it knows the others.
            _ if self.is_not_implemented() => false,
            Some(500..) | Some(401 | 403 | 429) | Some(300..=399) => true,
            // S3 says what it misses. What says nothing may be a gateway with nothing behind it.
            Some(404) => matches!(self.code.as_str(), "" | "NoSuchBucket"),
            Some(400) => matches!(
                self.code.as_str(),
                "ExpiredToken"
                    | "InvalidToken"
                    | "TokenRefreshRequired"
                    | "AuthorizationHeaderMalformed"
                    | "RequestTimeout"
            ),
            Some(_) => false,
        }
    }

    /// An answer that a server also gives for a single object, which it keeps from us or cannot read
    /// itself (503 is what MinIO says then).
    pub fn may_be_of_one_object(&self) -> bool {
        matches!(self.status(), Some(403 | 404 | 500..))
    }

    /// There was no answer at all.
    pub fn is_silence(&self) -> bool {
        self.status().is_none()
    }

    /// We are not allowed to.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    pub fn is_missing_object(&self) -> bool {
        self.status() == Some(404) && self.code != "NoSuchBucket"
    }

    /// It is not as the request supposed.
    pub fn is_conflict(&self) -> bool {
        matches!(self.status(), Some(409 | 412))
    }

    pub fn is_unsatisfiable_range(&self) -> bool {
        self.status() == Some(416)
    }

    /// The server does not know this kind of request.
    pub fn is_not_implemented(&self) -> bool {
        self.status() == Some(501) || self.code == "NotImplemented"
    }

    /// What to do about it, as a sentence that names the setting or permission.
    pub fn advice(&self, permission: &str, resource: &str) -> String {
        if self.origin == Origin::Credentials {
            return "There are no credentials. Set storage.s3.access_key_id and \
                    storage.s3.secret_access_key, or give this machine a role."
                .to_owned();
        }
        let text = self.text.to_ascii_lowercase();
        let known = match self.code.as_str() {
            "InvalidAccessKeyId" | "NotSignedUp" => {
                "The access key is unknown there. Check storage.s3.access_key_id, or where the \
                 credentials come from."
            }
            "SignatureDoesNotMatch" => {
                "The signature is wrong. Check storage.s3.secret_access_key, and that no proxy \
                 changes requests on their way."
            }
            "RequestTimeTooSkewed" => CLOCK_IS_WRONG,
            // Of a link that was signed a moment ago, as Amazon and others put it.
            _ if self.is_refusal()
                && ["request has expired", "not yet valid", "not valid yet"]
                    .iter()
                    .any(|words| text.contains(words)) =>
            {
                CLOCK_IS_WRONG
            }
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
                "The temporary credentials have run out. Renew AWS_SESSION_TOKEN, or use a role."
            }
            "NoSuchBucket" => {
                "There is no such bucket. Check storage.s3.bucket, or make the bucket."
            }
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException" => {
                let region = tag(&self.text, "Region");
                return match region.is_empty() {
                    true => "The bucket is in another region. Check storage.s3.region.".to_owned(),
                    false => format!(
                        "The bucket is in another region. Set storage.s3.region to {region}."
                    ),
                };
            }
            "InvalidStorageClass" => {
                "This storage class is unknown. Check storage.s3.storage_class."
            }
            "SlowDown" | "ServiceUnavailable" | "TooManyRequests" => {
                "S3 asks for fewer requests. Try again later."
            }
            _ if text.contains("kms") && matches!(self.status(), Some(400 | 403)) => {
                "The key may not be used. Allow kms:GenerateDataKey and kms:Decrypt on the key that \
                 storage.s3.kms_key names."
            }
            _ => "",
        };
        if !known.is_empty() {
            return known.to_owned();
        }
        match self.origin {
            Origin::Answer(403) => format!("Not allowed. Grant {permission} on {resource}."),
            Origin::Answer(401) => {
                "The credentials are refused. Check storage.s3.access_key_id and \
                                    storage.s3.secret_access_key."
                    .to_owned()
            }
            Origin::Answer(300..=399) => {
                "The bucket is in another region. Check storage.s3.region.".to_owned()
            }
            Origin::Answer(404) => "Not found. Check storage.s3.bucket, storage.s3.endpoint and \
                                    storage.s3.path_style."
                .to_owned(),
            Origin::Answer(501) => "This S3 does not know this kind of request.".to_owned(),
            Origin::Answer(500..) => "S3 is out of order. Try again later.".to_owned(),
            Origin::Silence(_) if advice_about_tls(&text).is_some() => {
                advice_about_tls(&text).unwrap_or_default().to_owned()
            }
            Origin::Silence(_)
                if text.contains("dns") || text.contains("resolve") || text.contains("lookup") =>
            {
                "The name of the server is unknown. Check storage.s3.endpoint and \
                 storage.s3.region; most providers other than Amazon need storage.s3.path_style."
                    .to_owned()
            }
            Origin::Silence(Some(HttpErrorKind::Timeout)) => {
                "The server does not answer in time. Check the network and storage.s3.endpoint."
                    .to_owned()
            }
            Origin::Silence(Some(_)) => {
                "Nothing answers. Check storage.s3.endpoint and the network.".to_owned()
            }
            _ => "Look at the answer for the reason.".to_owned(),
        }
    }
}

/// As rustls and hyper put it; in small letters.
fn advice_about_tls(text: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(if says(&["not valid for name", "notvalidforname"]) {
        "The certificate of the server is for another name. Check storage.s3.endpoint, and \
         storage.s3.path_style: without it the name of the bucket stands before that of the server."
    } else if says(&["certificate expired", "expired: verification time"]) {
        "The certificate of the server has run out. Renew it there, behind storage.s3.endpoint; or set \
         the clock of this machine if it is wrong."
    } else if says(&["not valid yet", "notvalidyet"]) {
        "The certificate of the server is not valid yet. Set the clock of this machine, or look at the \
         server behind storage.s3.endpoint."
    } else if says(&["invalidcontenttype", "corrupt message", "wrong version number"]) {
        "The server does not speak https there. Set storage.s3.endpoint to its https address; http:// \
         needs storage.s3.allow_http."
    } else if says(&["invalid http version", "http version parsed", "http/0.9"]) {
        "The server does not speak http there, but perhaps https. Begin storage.s3.endpoint with \
         https://."
    } else if says(&["unknownissuer", "unknown issuer", "badsignature", "certificate", "tls"]) {
        "The certificate of the server is not trusted. Name the authority that signed it with \
         storage.s3.ca_file."
    } else {
        return None;
    })
}

/// The type that knows the status cannot be named outside `object_store`, but it says it.
fn status(error: &object_store::Error, text: &str) -> Option<u16> {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => return Some(404),
        Error::NotModified { .. } => return Some(304),
        Error::Precondition { .. } => return Some(412),
        Error::AlreadyExists { .. } => return Some(409),
        Error::PermissionDenied { .. } => return Some(403),
        Error::Unauthenticated { .. } => return Some(401),
        _ => {}
    }
    if text.contains("Received redirect without LOCATION") {
        return Some(301);
    }
    // An error inside an answer of 200, which S3 gives when it finds out late.
    if text.contains("Server returned error response") {
        return Some(500);
    }
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

/// The content of the first such element.
pub fn tag(xml: &str, name: &str) -> String {
    let content = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, after)| after.split_once(&format!("</{name}>")));
    content.map(|(content, _)| content.trim().to_owned()).unwrap_or_default()
}
