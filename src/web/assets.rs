//! The style sheet, scripts and icons, served from the binary.
//!
//! `build.rs` gives each file of `assets/` a name with the hash of its content. A hashed name never
//! changes its meaning, so browsers keep it for a year without asking; the plain names
//! (`/static/app.css`, `/favicon.ico`) answer too, with a short life, for everything that does not
//! read our pages. Bodies are compressed at build time and sent without a copy.

use std::{borrow::Cow, rc::Rc, sync::LazyLock};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Extensions, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
};
use bytes::Bytes;

use super::{metrics::Pattern, pages::accent::Accent};

/// Where assets are served; `build.rs` writes the same prefix into the table.
const PREFIX: &str = "/static/";
/// The address of all assets, as a route.
pub const ADDRESS: &str = "/static/{path:.*}";

const FOR_A_YEAR: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The address of an asset under its hashed name: `app.css` → `/static/app.1a2b3c4d5e.css`.
///
/// A name that does not exist keeps its plain address; the gallery test finds those.
pub fn asset(name: &str) -> Cow<'static, str> {
    match ROWS.binary_search_by(|row| row.name.cmp(name)) {
        Ok(index) => Cow::Borrowed(ROWS[index].path),
        Err(_) => Cow::Owned(format!("{PREFIX}{name}")),
    }
}

/// The style sheet that carries an organization's accent colour, for `<link>`: a strict content
/// security policy leaves no other way to bring a colour into a page.
pub fn accent_sheet(accent: Accent) -> String {
    format!("{PREFIX}accent-{accent}.css")
}

/// Every asset as (plain name, hashed address), sorted by name.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|row| (row.name, row.path))
}

/// The bytes of an asset by its plain name, as they leave without compression.
pub fn content(name: &str) -> Option<Bytes> {
    ROWS.iter().position(|row| row.name == name).map(|index| ASSETS[index].identity.body.clone())
}

/// Answers for assets that exist before anybody looks at who asks: an asset is the same for all, and
/// every page brings several.
pub async fn serve_first(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let name = match *request.method() {
        Method::GET | Method::HEAD => request.path().strip_prefix(PREFIX),
        _ => None,
    };
    let response = name.map(|name| respond(name, request.headers()));
    match response.filter(|response| response.status() != StatusCode::NOT_FOUND) {
        Some(response) => {
            request.add_data_container(ROUTE.with(Rc::clone));
            Ok(request.into_response(response).map_into_right_body())
        }
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}

thread_local! {
    /// What the router would have noted, for the counting of requests.
    static ROUTE: Rc<Extensions> = {
        let mut route = Extensions::new();
        route.insert(Pattern(ADDRESS));
        Rc::new(route)
    };
}

/// `GET` and `HEAD /static/{name}`, for what [`serve_first`] does not know.
pub async fn serve(request: HttpRequest) -> HttpResponse {
    let name = request.path().strip_prefix(PREFIX).unwrap_or_default();
    respond(name, request.headers())
}

/// `GET` and `HEAD` of the few addresses that others look up by convention: `/favicon.ico`,
/// `/apple-touch-icon.png`, `/robots.txt`.
pub async fn serve_by_convention(request: HttpRequest) -> HttpResponse {
    respond(request.path().trim_start_matches('/'), request.headers())
}

struct Row {
    name: &'static str,
    hashed_name: &'static str,
    path: &'static str,
    hash: &'static str,
    media_type: &'static str,
    has_brotli: bool,
    has_gzip: bool,
}

static ROWS: &[Row] = include!(concat!(env!("OUT_DIR"), "/asset_table.rs"));

#[derive(rust_embed::RustEmbed)]
#[folder = "$OUT_DIR/assets/"]
struct Embedded;

/// One asset, ready to send; stands at the index of its row.
struct Asset {
    media_type: HeaderValue,
    identity: Variant,
    brotli: Option<Variant>,
    gzip: Option<Variant>,
}

struct Variant {
    body: Bytes,
    etag: HeaderValue,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| ROWS.iter().map(Asset::load).collect());

impl Asset {
    fn load(row: &Row) -> Asset {
        let variant = |suffix: &str, mark: &str| {
            let file = Embedded::get(&format!("{}{suffix}", row.hashed_name));
            let body = match file.map(|file| file.data) {
                Some(Cow::Borrowed(bytes)) => Bytes::from_static(bytes),
                Some(Cow::Owned(bytes)) => Bytes::from(bytes),
                // Only a development build reads files, and only those that its build wrote.
                None => Bytes::new(),
            };
            let etag = HeaderValue::from_str(&format!("\"{}{mark}\"", row.hash))
                .unwrap_or(HeaderValue::from_static("\"\""));
            Variant { body, etag }
        };
        Asset {
            media_type: HeaderValue::from_static(row.media_type),
            identity: variant("", ""),
            brotli: row.has_brotli.then(|| variant(".br", "-br")),
            gzip: row.has_gzip.then(|| variant(".gz", "-gz")),
        }
    }
}

fn respond(name: &str, asked: &HeaderMap) -> HttpResponse {
    if let Some(index) = find_hashed(name) {
        return respond_with(&ASSETS[index], asked, FOR_A_YEAR);
    }
    if let Ok(index) = ROWS.binary_search_by(|row| row.name.cmp(name)) {
        return respond_with(&ASSETS[index], asked, FOR_AN_HOUR);
    }
    match name.strip_prefix("accent-").and_then(|rest| rest.strip_suffix(".css")) {
        Some(color) if let Some(accent) = Accent::parse(color) => respond_with_accent(accent),
        _ => HttpResponse::NotFound().finish(),
    }
}

/// The row of a hashed name. Rows are sorted by plain name, so the name is put together again.
fn find_hashed(name: &str) -> Option<usize> {
    let (rest, extension) = name.rsplit_once('.')?;
    let (stem, hash) = rest.rsplit_once('.')?;
    let wanted = || stem.bytes().chain(std::iter::once(b'.')).chain(extension.bytes());
    let index = ROWS.binary_search_by(|row| row.name.bytes().cmp(wanted())).ok()?;
    (ROWS[index].hash == hash).then_some(index)
}

fn respond_with(asset: &'static Asset, asked: &HeaderMap, life: HeaderValue) -> HttpResponse {
    let accepted = Accepted::read(asked.get(header::ACCEPT_ENCODING));
    let (variant, encoding) = match asset {
        Asset { brotli: Some(brotli), .. } if accepted.brotli => (brotli, Some("br")),
        Asset { gzip: Some(gzip), .. } if accepted.gzip => (gzip, Some("gzip")),
        _ => (&asset.identity, None),
    };
    let is_known = asked.get(header::IF_NONE_MATCH).is_some_and(|tags| names(tags, &variant.etag));
    let (status, body) = match is_known {
        true => (StatusCode::NOT_MODIFIED, Bytes::new()),
        false => (StatusCode::OK, variant.body.clone()),
    };
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, life);
    headers.insert(header::ETAG, variant.etag.clone());
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::OK {
        headers.insert(header::CONTENT_TYPE, asset.media_type.clone());
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
    }
    response
}

fn respond_with_accent(accent: Accent) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/css; charset=utf-8"))
        // The next version may derive the shades otherwise, so not for ever.
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(accent.style_sheet())
}

/// Which of our two encodings the client takes (RFC 9110, section 12.5.3).
#[derive(Debug, Default, PartialEq)]
struct Accepted {
    brotli: bool,
    gzip: bool,
}

impl Accepted {
    fn read(header: Option<&HeaderValue>) -> Accepted {
        let mut accepted = Accepted::default();
        let text = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (mut named_brotli, mut named_gzip) = (false, false);
        for part in text.split(',') {
            let (coding, parameters) = part.split_once(';').unwrap_or((part, ""));
            let is_wanted = !is_zero_weight(parameters);
            match coding.trim() {
                coding if coding.eq_ignore_ascii_case("br") => {
                    (accepted.brotli, named_brotli) = (is_wanted, true);
                }
                coding if coding.eq_ignore_ascii_case("gzip") => {
                    (accepted.gzip, named_gzip) = (is_wanted, true);
                }
                // The star speaks for the codings that are not named.
                "*" => {
                    accepted.brotli = if named_brotli { accepted.brotli } else { is_wanted };
                    accepted.gzip = if named_gzip { accepted.gzip } else { is_wanted };
                }
                _ => {}
            }
        }
        accepted
    }
}

/// `q=0`, `q=0.0`, `q=0.00` and `q=0.000` mean "not this one".
fn is_zero_weight(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| match parameter.trim().split_once('=') {
        Some((name, weight)) => {
            name.trim().eq_ignore_ascii_case("q")
                && weight.trim().starts_with('0')
                && weight.trim().bytes().all(|byte| matches!(byte, b'0' | b'.'))
        }
        None => false,
    })
}

/// Whether an `If-None-Match` names this tag, or anything at all; weak tags count (RFC 9110).
fn names(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let text = tags.to_str().unwrap_or_default();
    text.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.as_bytes() == etag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test, web};

    use super::*;

    struct Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    }

    impl Answer {
        /// Empty when the header is not there.
        fn header(&self, name: header::HeaderName) -> &str {
            self.headers.get(name).map_or("", |value| value.to_str().unwrap())
        }
    }

    async fn ask(path: &str, headers: &[(&str, &str)]) -> Answer {
        let app = test::init_service(
            App::new()
                .service(web::resource("/static/{name}").to(serve))
                .service(web::resource("/favicon.ico").to(serve_by_convention)),
        )
        .await;
        let mut request = test::TestRequest::with_uri(path);
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: test::read_body(response).await }
    }

    #[actix_web::test]
    async fn a_hashed_name_is_kept_for_a_year_and_a_plain_one_for_an_hour() {
        let hashed = ask(&asset("app.css"), &[]).await;
        assert_eq!(hashed.status, StatusCode::OK);
        assert_eq!(hashed.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        assert_eq!(hashed.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
        assert_eq!(hashed.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(hashed.header(header::CONTENT_ENCODING), "");

        let plain = ask("/static/app.css", &[]).await;
        assert_eq!(plain.header(header::CACHE_CONTROL), "public, max-age=3600");
        assert_eq!(plain.body, hashed.body);

        let icon = ask("/favicon.ico", &[]).await;
        assert_eq!(icon.status, StatusCode::OK);
        assert_eq!(icon.header(header::CONTENT_TYPE), "image/x-icon");
    }

    #[actix_web::test]
    async fn brotli_wins_over_gzip_and_gzip_over_nothing() {
        for (accepts, encoding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("br;q=0, gzip;q=0.5", "gzip"),
            ("BR", "br"),
            ("*", "br"),
            ("*, br;q=0.000", "gzip"),
            ("br;q=0, *", "gzip"),
            ("identity", ""),
            ("", ""),
        ] {
            let answer = ask(&asset("app.css"), &[("accept-encoding", accepts)]).await;
            assert_eq!(answer.header(header::CONTENT_ENCODING), encoding, "{accepts}");
            assert_eq!(answer.header(header::VARY), "accept-encoding");
            assert!(!answer.body.is_empty());
        }
        let picture = ask(&asset("favicon.ico"), &[("accept-encoding", "br")]).await;
        assert_eq!(picture.header(header::CONTENT_ENCODING), "", "compressing it saves nothing");
    }

    #[actix_web::test]
    async fn a_known_tag_is_answered_without_a_body() {
        let path = asset("app.css");
        let first = ask(&path, &[("accept-encoding", "br")]).await;
        let etag = first.header(header::ETAG);
        for tags in [etag.to_owned(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let asked = [("accept-encoding", "br"), ("if-none-match", tags.as_str())];
            let answer = ask(&path, &asked).await;
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{tags}");
            assert_eq!(answer.header(header::ETAG), etag);
            assert!(answer.body.is_empty());
        }
        let other = ask(&path, &[("accept-encoding", "gzip"), ("if-none-match", etag)]).await;
        assert_eq!(other.status, StatusCode::OK, "another encoding is another representation");
    }

    #[actix_web::test]
    async fn what_does_not_exist_is_not_found() {
        for path in [
            "/static/none.css",
            "/static/app.0000000000.css",
            "/static/accent-red.css",
            "/static/..%2fCargo.toml",
        ] {
            assert_eq!(ask(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[actix_web::test]
    async fn an_accent_has_a_style_sheet_of_its_own() {
        let accent = Accent::parse("#b4232a").unwrap();
        let answer = ask(&accent_sheet(accent), &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
        assert!(std::str::from_utf8(&answer.body).unwrap().contains("--accent-fill"));
    }
}
