//! What was wrong with a form, shown above it and beside the field at fault.

use actix_web::{ResponseError, http::StatusCode};

use crate::{
    error::{Complaint, Error},
    web::fault::{Fault, Result},
};

/// The errors of one form; empty when it is shown for the first time.
#[derive(Clone, Debug, Default)]
pub struct FormErrors {
    entries: Vec<Complaint>,
}

impl FormErrors {
    pub fn none() -> Self {
        FormErrors::default()
    }

    /// The sentences of an error, each beside the field it names.
    pub fn of(error: &Error) -> Self {
        FormErrors { entries: error.complaints() }
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
            | Error::Taken { .. }
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

    /// Everything that is wrong, with the field it is about; `None` is the form as a whole.
    pub fn all(&self) -> &[Complaint] {
        &self.entries
    }

    /// The one sentence there is, when it is about the form as a whole.
    pub fn general(&self) -> Option<&str> {
        match self.entries.as_slice() {
            [(None, text)] => Some(text),
            _ => None,
        }
    }

    /// What is wrong with one field.
    pub fn on(&self, name: &str) -> Option<&str> {
        let mut entries = self.entries.iter();
        entries.find(|(field, _)| *field == Some(name)).map(|(_, text)| text.as_str())
    }
}
