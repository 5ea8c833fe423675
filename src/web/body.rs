//! What a request brings along: forms, JSON, queries, files. Each with a limit, a sentence for what
//! is wrong with it, and for what changes something the CSRF check.

use std::{collections::HashMap, time::Duration};

use actix_multipart::{Field, Multipart};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::ContentDisposition,
    web::{Bytes, BytesMut},
};
use futures_util::{StreamExt, TryStreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;

use super::{
    auth::Visitor,
    fault::{Fault, Result},
};
use crate::{
    app::App,
    domain::versions::NewFile,
    error::{Error, Result as AppResult},
};

/// The longest form or JSON document.
const TEXT_BYTES_MAX: usize = 2 << 20;
/// How long it may take to arrive.
const TEXT_TIMEOUT: Duration = Duration::from_secs(15);
/// Fields of one multipart form that are not files, and their length.
const FIELDS_MAX: usize = 1_000;
const FIELD_BYTES_MAX: usize = 64 << 10;
/// Files in one request.
pub const FILES_MAX: usize = 200;

/// The header in which a script sends the CSRF token.
const CSRF_HEADER: &str = "x-csrf-token";

/// A form that a person filled in (`application/x-www-form-urlencoded`), with its CSRF token
/// checked. A key may repeat, for a `Vec`.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        Box::pin(async move {
            let body = read(&mut payload).await?;
            let visitor = Visitor::from_request(&request, &mut payload).await?;
            #[derive(serde::Deserialize)]
            struct Token {
                #[serde(default)]
                csrf: Option<String>,
            }
            let in_form =
                serde_html_form::from_bytes::<Token>(&body).ok().and_then(|form| form.csrf);
            visitor.require_csrf(in_form.or_else(|| csrf_header(&request)).as_deref())?;
            let form = serde_html_form::from_bytes(&body)
                .map_err(|fault| Error::invalid(format!("The form could not be read: {fault}.")))?;
            Ok(Form(form))
        })
    }
}

/// A JSON document, with the CSRF header checked when a browser's cookie came with it.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        Box::pin(async move {
            let visitor = Visitor::from_request(&request, &mut payload).await?;
            visitor.require_csrf(csrf_header(&request).as_deref())?;
            let json = read_json(&request, &mut payload).await?;
            Ok(Json(json))
        })
    }
}

/// A JSON document from anybody: nobody asks who sent it, so neither a session that has ended nor a
/// missing CSRF token is in its way. For signing in.
pub struct OpenJson<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for OpenJson<T> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        Box::pin(async move { Ok(OpenJson(read_json(&request, &mut payload).await?)) })
    }
}

/// For a request that changes something and brings no body: only the CSRF check.
pub struct NoBody;

impl FromRequest for NoBody {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let visitor = Visitor::from_request(&request, payload);
        Box::pin(async move {
            visitor.await?.require_csrf(csrf_header(&request).as_deref())?;
            Ok(NoBody)
        })
    }
}

/// The part of the address after `?`. A key may repeat, for a `Vec`; unknown keys are ignored, and so
/// are keys without a value: programs send what nobody filled in.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Fault;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let has_value = |pair: &&str| !matches!(pair.split_once('='), Some((_, "")));
        let filled: Vec<&str> = request.query_string().split('&').filter(has_value).collect();
        let query = serde_html_form::from_str(&filled.join("&")).map(Query).map_err(|fault| {
            Error::invalid(format!("The address could not be read after “?”: {fault}.")).into()
        });
        std::future::ready(query)
    }
}

/// A multipart form: its files are durable on the spool when this returns, its other fields are
/// here as text.
pub struct Received {
    pub files: Vec<NewFile>,
    /// Files that could not be taken, by their names; only [`receive_each`] leaves any.
    pub refused: Vec<(String, Error)>,
    pub fields: HashMap<String, Vec<String>>,
}

impl Received {
    /// The last value of a field; empty when it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.fields
            .get(name)
            .and_then(|values| values.last())
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// All values of a field that repeats.
    pub fn all(&self, name: &str) -> &[String] {
        self.fields.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The one file of a form that takes one.
    ///
    /// # Errors
    /// `Invalid` when none was sent, or several.
    pub fn one_file(&mut self) -> AppResult<NewFile> {
        match self.files.len() {
            0 => Err(Error::invalid_field("file", "Choose a file.")),
            1 => Ok(self.files.swap_remove(0)),
            _ => Err(Error::invalid_field("file", "Send one file at a time.")),
        }
    }
}

/// Receives a multipart form (RFC 7578). The CSRF token comes in the header, or as the field `csrf`
/// in front of the first file. `file_fields` are the names under which files are taken.
pub async fn receive(
    app: &App,
    request: &HttpRequest,
    visitor: &Visitor,
    multipart: Multipart,
    file_fields: &[&str],
) -> AppResult<Received> {
    let refusal = OnRefusal::Stop { declared: declared_length(request) };
    receive_with(app, request, visitor, multipart, file_fields, refusal).await
}

/// What a request says about the length of its one file. The whole is a little longer: good enough to
/// refuse early.
pub fn declared_length(request: &HttpRequest) -> Option<u64> {
    let length = request.headers().get("content-length")?.to_str().ok()?;
    length.parse::<u64>().ok().map(|length| length.saturating_sub(64 << 10))
}

/// [`receive`] for a form with many files, of which some may be refused while the others stay.
pub async fn receive_each(
    app: &App,
    request: &HttpRequest,
    visitor: &Visitor,
    multipart: Multipart,
    file_fields: &[&str],
) -> AppResult<Received> {
    receive_with(app, request, visitor, multipart, file_fields, OnRefusal::GoOn).await
}

/// What happens when one file cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnRefusal {
    /// The request has failed. `declared` is what it says about the length of its one file.
    Stop { declared: Option<u64> },
    /// The other files are still taken.
    GoOn,
}

async fn receive_with(
    app: &App,
    request: &HttpRequest,
    visitor: &Visitor,
    mut multipart: Multipart,
    file_fields: &[&str],
    on_refusal: OnRefusal,
) -> AppResult<Received> {
    let mut received = Received { files: Vec::new(), refused: Vec::new(), fields: HashMap::new() };
    let mut is_trusted = visitor.require_csrf(csrf_header(request).as_deref()).is_ok();
    let mut field_count = 0;
    while let Some(field) = app.arriving(multipart.try_next()).await?.map_err(broken_form)? {
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.content_disposition().and_then(filename_of);
        match filename {
            Some(filename) if file_fields.contains(&name.as_str()) => {
                if !is_trusted {
                    visitor.require_csrf(None)?;
                }
                // A browser sends an empty part for a file input that was left empty.
                if filename.is_empty() {
                    continue;
                }
                if received.files.len() + received.refused.len() == FILES_MAX {
                    return Err(Error::TooLarge(format!(
                        "Send at most {FILES_MAX} files at once."
                    )));
                }
                let declared = match on_refusal {
                    OnRefusal::Stop { declared } => declared,
                    OnRefusal::GoOn => None,
                };
                match receive_file(app, declared, &filename, field).await {
                    Ok(file) => received.files.push(file),
                    Err(refused @ (Error::Invalid { .. } | Error::TooLarge(_)))
                        if on_refusal == OnRefusal::GoOn =>
                    {
                        received.refused.push((filename, refused));
                    }
                    Err(fault) => return Err(fault),
                }
            }
            _ => {
                field_count += 1;
                if field_count > FIELDS_MAX {
                    return Err(Error::TooLarge("The form has too many fields.".into()));
                }
                let text = app.arriving(read_field(field)).await??;
                if name == "csrf" {
                    visitor.require_csrf(Some(&text))?;
                    is_trusted = true;
                } else {
                    received.fields.entry(name).or_default().push(text);
                }
            }
        }
    }
    if !is_trusted {
        visitor.require_csrf(None)?;
    }
    Ok(received)
}

/// The name that a part gives its file. Some programs write it in full (RFC 8187) beside the plain one
/// or instead of it, though RFC 7578 knows only the plain one.
fn filename_of(part: &ContentDisposition) -> Option<String> {
    let full = part.get_filename_ext().and_then(|full| String::from_utf8(full.value.clone()).ok());
    full.or_else(|| part.get_filename().map(as_chosen))
}

/// A file's name as it was before the browser sent it: three characters would break the header, so
/// they are escaped (HTML standard, "multipart form data"). The rest of a name stays as it is, a
/// percent sign included.
fn as_chosen(sent: &str) -> String {
    sent.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

async fn receive_file(
    app: &App,
    declared: Option<u64>,
    filename: &str,
    field: Field,
) -> AppResult<NewFile> {
    let bytes = field.map(|chunk| chunk.map_err(broken_form));
    app.receive(filename, declared, Box::pin(bytes)).await
}

pub async fn read_field(mut field: Field) -> AppResult<String> {
    let mut text = BytesMut::new();
    while let Some(chunk) = field.try_next().await.map_err(broken_form)? {
        if text.len() + chunk.len() > FIELD_BYTES_MAX {
            return Err(Error::TooLarge("A field of the form is too long.".into()));
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text.into()).map_err(|_| Error::invalid("The form is not in UTF-8."))
}

pub fn broken_form(fault: actix_multipart::MultipartError) -> Error {
    Error::invalid(format!("The upload was cut off or is no multipart form: {fault}."))
}

async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: &mut Payload,
) -> AppResult<T> {
    let is_json = request.mime_type().ok().flatten().is_some_and(|mime| {
        mime.subtype() == "json" || mime.suffix().is_some_and(|suffix| suffix == "json")
    });
    if !is_json {
        return Err(Error::invalid("Send JSON, with Content-Type: application/json."));
    }
    let body = read(payload).await?;
    serde_json::from_slice(&body)
        .map_err(|fault| Error::invalid(format!("The JSON could not be read: {fault}.")))
}

async fn read(payload: &mut Payload) -> AppResult<Bytes> {
    let late = "The request took too long to arrive. Try again.";
    let body = tokio::time::timeout(TEXT_TIMEOUT, read_all(payload)).await;
    body.map_err(|_| Error::invalid(late))?
}

async fn read_all(payload: &mut Payload) -> AppResult<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Error::invalid("The request was cut off."))?;
        if body.len() + chunk.len() > TEXT_BYTES_MAX {
            return Err(Error::TooLarge("The request is too long.".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn csrf_header(request: &HttpRequest) -> Option<String> {
    request.headers().get(CSRF_HEADER)?.to_str().ok().map(str::to_owned)
}
