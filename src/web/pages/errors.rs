//! What was wrong with a form, shown above it and beside the field at fault.

use actix_web::{ResponseError, http::StatusCode};

use crate::{
    error::Error,
    web::fault::{Fault, Result},
};

/// The errors of one form; empty when it is shown for the first time.
#[derive(Clone, Debug, Default)]
pub struct FormErrors {
    entries: Vec<(Option<&'static str>, String)>,
}

impl FormErrors {
    pub fn none() -> Self {
        FormErrors::default()
    }

    /// The sentence of an error, beside the field it names.
    pub fn of(error: &Error) -> Self {
        let field = match error {
            Error::Invalid { field, .. } => *field,
            _ => None,
        };
        FormErrors { entries: vec![(field, error.to_string())] }
    }

    /// What the form is shown again with: the sentence, and the status of the answer.
    ///
    /// # Errors
    /// Whatever another page has to tell, since filling in the form differently would not help.
    pub fn refusing(error: Error) -> Result<(Self, StatusCode)> {
        let errors = FormErrors::of(&error);
        match error {
            Error::Invalid { .. } => Ok((errors, StatusCode::UNPROCESSABLE_ENTITY)),
            Error::Conflict(_)
            | Error::TooLarge(_)
            | Error::TooMany { .. }
            | Error::Busy { .. }
            | Error::Full(_) => Ok((errors, Fault(error).status_code())),
            other => Err(other.into()),
        }
    }

    /// [`refusing`](Self::refusing), or nothing to complain about.
    pub fn after(outcome: crate::error::Result<()>) -> Result<(Self, StatusCode)> {
        match outcome {
            Ok(()) => Ok((FormErrors::none(), StatusCode::OK)),
            Err(error) => FormErrors::refusing(error),
        }
    }

    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.entries.push((Some(field), message.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Moves what was said about one field to another: the form has its own names.
    pub fn renamed(mut self, from: &str, to: Option<&'static str>) -> Self {
        for (field, _) in &mut self.entries {
            if *field == Some(from) {
                *field = to;
            }
        }
        self
    }

    /// What is wrong with the form as a whole.
    pub fn general(&self) -> Option<&str> {
        self.entries.iter().find(|(field, _)| field.is_none()).map(|(_, text)| text.as_str())
    }

    /// What is wrong with one field.
    pub fn on(&self, name: &str) -> Option<&str> {
        let mut entries = self.entries.iter();
        entries.find(|(field, _)| *field == Some(name)).map(|(_, text)| text.as_str())
    }
}
