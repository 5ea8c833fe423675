//! Files of users over HTTP: ranges, entity tags, names, and headers under which no file can ever
//! run as us.

use std::{ops::Range, time::SystemTime};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{Method, StatusCode, header},
};
use jiff::{SignedDuration, Timestamp};

use super::fault::Result;
use crate::{
    app::{App, Content, Image},
    domain::access::Actor,
    hash::ContentHash,
};

/// What a client does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Saves it.
    Attachment,
    /// Shows it in one of our pages, when its type cannot run.
    Inline,
}

/// Who may keep an answer, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Only the browser, and it asks again each time: access may have been taken away.
    Private,
    /// Anybody, for a few minutes: what the whole world may read.
    Public,
}

/// Types that a browser shows without running anything in them.
const SHOWN: [&str; 14] = [
    "application/pdf",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/x-icon",
    "image/avif",
    "text/plain",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "video/mp4",
    "video/webm",
];

/// Public media up to this size come from us, so that caches keep them under one address.
const STREAMED_BYTES_MAX: u64 = 32 << 20;
/// The seconds of a date tell two changes apart only when they are over.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// Answers with a file (RFC 9110: conditional requests and single ranges), or with the way to S3.
pub async fn deliver(
    app: &App,
    request: &HttpRequest,
    actor: Actor,
    content: Content,
    disposition: Disposition,
    caching: Caching,
) -> Result<HttpResponse> {
    let etag = format!("\"{}\"", content.file.blob);
    let served = Served::of(&content, disposition);
    let mut response = HttpResponse::Ok();
    let modified = last_modified(content.document.updated_at, app.clock.now());
    set_headers(&mut response, &served, caching, &etag, modified);
    if is_unchanged(request, &etag, modified) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let size_bytes = content.file.size_bytes;
    let range = match wanted_range(request, &etag, size_bytes) {
        Wanted::All => None,
        Wanted::Part(range) => Some(range),
        Wanted::Impossible => {
            return Ok(HttpResponse::RangeNotSatisfiable()
                .insert_header((header::CONTENT_RANGE, format!("bytes */{size_bytes}")))
                .finish());
        }
    };
    // One that goes on where it was cut off is no further download.
    let is_start = range.as_ref().is_none_or(|range| range.start == 0);
    let is_noted =
        disposition == Disposition::Attachment && is_start && request.method() == Method::GET;
    let is_fetched_elsewhere = match (disposition, caching) {
        (Disposition::Attachment, _) => true,
        // Previews stay with us: their frame allows nothing from elsewhere.
        (Disposition::Inline, Caching::Private) => false,
        (Disposition::Inline, Caching::Public) => size_bytes > STREAMED_BYTES_MAX,
    };
    if is_fetched_elsewhere
        && request.method() == Method::GET
        && let Some(link) =
            app.link_content(&content, &served.disposition, served.media_type).await?
    {
        if is_noted {
            app.note_download(actor, &content);
        }
        // The link ends soon, and access may have been taken away before the next time.
        return Ok(HttpResponse::TemporaryRedirect()
            .insert_header((header::LOCATION, link))
            .insert_header((header::CACHE_CONTROL, "private, no-store"))
            .finish());
    }
    if let Some(Range { start, end }) = &range {
        response.status(StatusCode::PARTIAL_CONTENT).insert_header((
            header::CONTENT_RANGE,
            format!("bytes {start}-{}/{size_bytes}", end - 1),
        ));
    }
    let opened = app.open_content(&content, range).await?;
    if is_noted {
        app.note_download(actor, &content);
    }
    let length = opened.range.end - opened.range.start;
    Ok(response.body(SizedStream::new(length, opened.into_stream())))
}

/// Answers with an image that we made from a file.
pub fn deliver_image(request: &HttpRequest, image: Image, caching: Caching) -> HttpResponse {
    let etag = image_etag(image.source, &image.bytes);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::ETAG, etag.clone()))
        .insert_header((header::CACHE_CONTROL, caching.header()))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    if is_unchanged(request, &etag, None) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response
        .insert_header((header::CONTENT_TYPE, image.media_type))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .body(image.bytes)
}

/// Thumbnail and pages share a source; their lengths tell them apart well enough for a cache that
/// is keyed by address in any case.
fn image_etag(source: ContentHash, bytes: &[u8]) -> String {
    format!("\"{source}-{:x}\"", bytes.len())
}

impl Caching {
    fn header(self) -> &'static str {
        match self {
            Caching::Private => "private, no-cache",
            Caching::Public => "public, max-age=300",
        }
    }
}

/// How a file is called and shown, by us and by the S3 that a client is sent to.
struct Served<'c> {
    media_type: &'c str,
    disposition: String,
    is_shown: bool,
}

impl<'c> Served<'c> {
    fn of(content: &'c Content, disposition: Disposition) -> Self {
        let media_type = content.file.media_type.as_str();
        let is_shown = disposition == Disposition::Inline && SHOWN.contains(&media_type);
        let kind = if is_shown { "inline" } else { "attachment" };
        Served {
            media_type: match media_type {
                "text/plain" => "text/plain; charset=utf-8",
                other => other,
            },
            disposition: content_disposition(kind, &content.file.filename),
            is_shown,
        }
    }
}

fn set_headers(
    response: &mut HttpResponseBuilder,
    served: &Served<'_>,
    caching: Caching,
    etag: &str,
    modified: Option<Timestamp>,
) {
    if let Some(modified) = modified {
        response.insert_header((header::LAST_MODIFIED, http_date(modified)));
    }
    // The PDF viewers of browsers do not start inside a sandbox; what they show cannot reach the
    // page around it in any case.
    let policy = match served.media_type {
        "application/pdf" if served.is_shown => {
            "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
        }
        _ => {
            "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
        }
    };
    response
        .insert_header((header::CONTENT_TYPE, served.media_type))
        .insert_header((header::CONTENT_DISPOSITION, served.disposition.as_str()))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::CACHE_CONTROL, caching.header()))
        .insert_header((header::ETAG, etag.to_owned()))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        // Keeps the compressing middleware away: ranges are of these bytes.
        .insert_header((header::CONTENT_ENCODING, "identity"));
}

/// The name for every client (RFC 6266): plain for old ones, and in full (RFC 8187).
pub fn content_disposition(kind: &str, filename: &str) -> String {
    let plain: String = filename
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | ';') || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let full = percent_encoded(filename);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

/// All but the characters that mean nothing in a URL (RFC 3986) or a header (RFC 8187).
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The date by which clients know this state again: none as long as another could follow with the same.
fn last_modified(updated_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (now.duration_since(updated_at) >= SETTLED_AFTER).then_some(updated_at)
}

/// Whether the client has it already. The date counts only where no tag is named (RFC 9110, section
/// 13.1.3), and only when it is the very one that we tell: after a restore it is an earlier one.
fn is_unchanged(request: &HttpRequest, etag: &str, modified: Option<Timestamp>) -> bool {
    let headers = request.headers();
    if headers.contains_key(header::IF_NONE_MATCH) {
        let tags = headers.get_all(header::IF_NONE_MATCH);
        return tags
            .filter_map(|tags| tags.to_str().ok())
            .flat_map(|tags| tags.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == etag);
    }
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|since| since.to_str().ok());
    let since = since.and_then(|since| since.parse::<header::HttpDate>().ok());
    let since = since.and_then(|since| Timestamp::try_from(SystemTime::from(since)).ok());
    // The client's date has whole seconds.
    since.zip(modified).is_some_and(|(since, modified)| since.as_second() == modified.as_second())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Impossible,
}

/// The part of the file that is asked for. Several ranges at once, other units and broken headers
/// are answered with the whole file, as RFC 9110 allows.
fn wanted_range(request: &HttpRequest, etag: &str, size_bytes: u64) -> Wanted {
    // Ranges are a matter of GET (RFC 9110, section 14.2).
    if request.method() != Method::GET {
        return Wanted::All;
    }
    let Some(range) = request.headers().get(header::RANGE).and_then(|it| it.to_str().ok()) else {
        return Wanted::All;
    };
    // A part of another version would not fit to what the client has.
    let if_range = request.headers().get(header::IF_RANGE).and_then(|it| it.to_str().ok());
    if if_range.is_some_and(|tag| tag != etag) {
        return Wanted::All;
    }
    parse_range(range, size_bytes)
}

fn parse_range(range: &str, size_bytes: u64) -> Wanted {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|it| it.split_once('-')) else {
        return Wanted::All;
    };
    let part = match (first.trim(), last.trim()) {
        ("", suffix) => match suffix.parse::<u64>() {
            Ok(length) => size_bytes.saturating_sub(length)..size_bytes,
            Err(_) => return Wanted::All,
        },
        (first, "") => match first.parse::<u64>() {
            Ok(first) => first..size_bytes,
            Err(_) => return Wanted::All,
        },
        (first, last) => match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size_bytes),
            _ => return Wanted::All,
        },
    };
    if part.start >= part.end { Wanted::Impossible } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        assert_eq!(parse_range("bytes=0-0", 10), Wanted::Part(0..1));
        assert_eq!(parse_range("bytes=4-", 10), Wanted::Part(4..10));
        assert_eq!(parse_range("bytes=-3", 10), Wanted::Part(7..10));
        assert_eq!(parse_range("bytes=-30", 10), Wanted::Part(0..10));
        assert_eq!(parse_range("bytes=2-99", 10), Wanted::Part(2..10));
        assert_eq!(parse_range("bytes=10-", 10), Wanted::Impossible);
        assert_eq!(parse_range("bytes=-0", 10), Wanted::Impossible);
        for ignored in ["bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes=-"] {
            assert_eq!(parse_range(ignored, 10), Wanted::All, "{ignored}");
        }
    }

    #[test]
    fn a_filename_cannot_break_out_of_its_header() {
        let header = content_disposition("attachment", "a\"; b=\"ü;.pdf");
        assert_eq!(
            header,
            "attachment; filename=\"a__ b=___.pdf\"; filename*=UTF-8''a%22%3B%20b%3D%22%C3%BC%3B.pdf"
        );
    }
}
