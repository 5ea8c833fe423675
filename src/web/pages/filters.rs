//! What the templates may write behind a `|`. Every page's file has `use super::filters;`, which is
//! how askama finds them.

use std::{borrow::Cow, fmt::Display};

use askama::{Result, Values, filters::Safe};

use super::format;
use crate::web::{assets, content::percent_encoded};

/// A number that a template may hand on, however many references askama puts before it.
pub trait Count {
    fn value(&self) -> u64;
}

macro_rules! count_of {
    ($($number:ty),*) => {
        $(impl Count for $number {
            fn value(&self) -> u64 {
                *self as u64
            }
        })*
    };
}

count_of!(u16, u32, u64, usize);

impl<T: Count + ?Sized> Count for &T {
    fn value(&self) -> u64 {
        (**self).value()
    }
}

/// `{{ "app.css"|asset }}` → the hashed address.
#[askama::filter_fn]
pub fn asset(name: impl Display, _: &dyn Values) -> Result<Cow<'static, str>> {
    Ok(assets::asset(&name.to_string()))
}

/// `{{ size_bytes|bytes }}` → `2.4 MB`.
#[askama::filter_fn]
pub fn bytes(size_bytes: impl Count, _: &dyn Values) -> Result<String> {
    Ok(format::bytes(size_bytes.value()))
}

/// `{{ total|number }}` → `1,204`.
#[askama::filter_fn]
pub fn number(value: impl Count, _: &dyn Values) -> Result<String> {
    Ok(format::number(value.value()))
}

/// `{{ total|counted("document", "documents") }}` → `1,204 documents`.
#[askama::filter_fn]
pub fn counted(value: impl Count, _: &dyn Values, one: &str, many: &str) -> Result<String> {
    Ok(format::counted(value.value(), one, many))
}

/// `{{ duration_ms|duration }}` → `1.5 s`.
#[askama::filter_fn]
pub fn duration(milliseconds: impl Count, _: &dyn Values) -> Result<String> {
    Ok(format::duration_ms(milliseconds.value()))
}

/// `{{ name|initials }}` → `AL`.
#[askama::filter_fn]
pub fn initials(name: impl Display, _: &dyn Values) -> Result<String> {
    Ok(format::initials(&name.to_string()))
}

/// Text that somebody wrote as paragraphs, with `code` between backticks.
#[askama::filter_fn]
pub fn prose(text: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(super::prose::prose(&text.to_string())))
}

/// `?q={{ text|query_value }}`.
#[askama::filter_fn]
pub fn query_value(text: impl Display, _: &dyn Values) -> Result<String> {
    Ok(percent_encoded(&text.to_string()))
}

/// The noun alone: `{{ total|noun("document", "documents") }}`.
#[askama::filter_fn]
pub fn noun(value: impl Count, _: &dyn Values, one: &str, many: &str) -> Result<String> {
    Ok(if value.value() == 1 { one } else { many }.to_owned())
}

/// The letter that stands in for a logo.
#[askama::filter_fn]
pub fn first_letter(name: impl Display, _: &dyn Values) -> Result<String> {
    let name = name.to_string();
    let letter = name.chars().find(|letter| letter.is_alphanumeric());
    Ok(letter.map_or_else(|| "A".to_owned(), |letter| letter.to_uppercase().to_string()))
}
