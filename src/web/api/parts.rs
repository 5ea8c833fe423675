//! What several nouns of the API share: names beside ids, limits, cursors, conditions on a revision,
//! and the difference between a field that is `null` and one that is not there.

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header},
};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    store::{Key, cursor},
    web::fault::Fault,
};

/// Something with its name.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Named {
    pub id: Uuid,
    pub name: String,
}

impl Named {
    pub fn new(id: Uuid, name: impl Into<String>) -> Self {
        Named { id, name: name.into() }
    }
}

/// For fields of a change: present, so that `None` means that the field was not sent. Where `T` is an
/// `Option`, `null` is `Some(None)`; where it is not, `null` is an error.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Rows on a page when nothing is said, and at most.
const LIMIT: u32 = 50;
pub const LIMIT_MAX: u32 = 200;

/// How many rows are wanted.
///
/// # Errors
/// `Invalid` for none, and for more than [`LIMIT_MAX`].
pub fn limit(wanted: Option<u32>) -> Result<usize> {
    match wanted.unwrap_or(LIMIT) {
        limit @ 1..=LIMIT_MAX => Ok(limit as usize),
        _ => Err(Error::invalid_field("limit", "The limit lies between 1 and 200.")),
    }
}

/// Where a page begins: the first one when there is no cursor, or an empty one.
///
/// # Errors
/// `Invalid` for anything that did not come from [`cursor::encode`].
pub fn place<K: Key>(after: Option<&str>) -> Result<Option<K>> {
    after.filter(|after| !after.is_empty()).map(cursor::decode).transpose()
}

/// The beginning of a span of time: a time (RFC 3339), or a day, which begins at midnight UTC.
pub fn from_time(field: &'static str, text: Option<&str>) -> Result<Option<Timestamp>> {
    time(field, text, 0)
}

/// The end of a span of time: a time (RFC 3339), or a day, which belongs to the span.
pub fn to_time(field: &'static str, text: Option<&str>) -> Result<Option<Timestamp>> {
    time(field, text, 1)
}

fn time(field: &'static str, text: Option<&str>, days_later: i64) -> Result<Option<Timestamp>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at));
    }
    let day = text.parse::<Date>().and_then(|day| day.checked_add(days_later.days()));
    let midnight = day.and_then(|day| day.to_zoned(TimeZone::UTC));
    midnight.map(|midnight| Some(midnight.timestamp())).map_err(|_| {
        Error::invalid_field(field, "A time looks like 2026-11-21 or 2026-11-21T10:00:00Z.")
    })
}

/// Ids as forms send them: one or many in a value, separated by commas.
pub fn ids<T: std::str::FromStr>(field: &'static str, values: &[String]) -> Result<Vec<T>> {
    values
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(|id| {
            id.parse().map_err(|_| Error::invalid_field(field, format!("“{id}” is not an id.")))
        })
        .collect()
}

/// Which revisions of a record the client is willing to change: the header `If-Match` (RFC 9110).
#[derive(Clone, Debug)]
pub struct IfMatch(Option<Vec<u64>>);

impl IfMatch {
    /// # Errors
    /// `Stale` when the client has seen another revision than this one.
    pub fn check(&self, revision: u64) -> Result<()> {
        match &self.0 {
            Some(revisions) if !revisions.contains(&revision) => Err(Error::Stale(
                "Somebody changed this in the meantime. Load it again and repeat your change."
                    .into(),
            )),
            _ => Ok(()),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Fault;
    type Future = std::future::Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = request.headers().get_all(header::IF_MATCH);
        let tags: Vec<&str> = headers
            .filter_map(|tags| tags.to_str().ok())
            .flat_map(|tags| tags.split(','))
            .collect();
        if tags.is_empty() || tags.iter().any(|tag| tag.trim() == "*") {
            return std::future::ready(Ok(IfMatch(None)));
        }
        // Proxies that compress weaken tags. The number inside is as good as before.
        let number = |tag: &&str| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').parse().ok()
        };
        std::future::ready(Ok(IfMatch(Some(tags.iter().filter_map(number).collect()))))
    }
}

/// JSON with the tag of its revision.
pub fn tagged(status: StatusCode, revision: u64, view: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::ETAG, format!("\"{revision}\""))).json(view)
}

/// A new thing, and where it is.
pub fn created(location: String, view: &impl Serialize) -> HttpResponse {
    HttpResponse::Created().insert_header((header::LOCATION, location)).json(view)
}

/// Done, and nothing more to say.
pub fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
