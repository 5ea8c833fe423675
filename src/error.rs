//! What can go wrong, free of any transport: the edges turn it into HTTP or an exit code.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every way in which the portal says no.
///
/// The text inside a variant is a sentence for the person who asked and says what to do. Only
/// `Internal` carries a chain for the operator, and its text never reaches a user.
#[derive(Debug)]
pub enum Error {
    /// It does not exist, or the actor may not know that it does.
    NotFound(String),
    /// The input cannot be accepted; names the field when one field is at fault. `more` is what else
    /// is wrong with the same input.
    Invalid { field: Option<&'static str>, message: String, more: Vec<Complaint> },
    /// Nobody is signed in, or the session has ended.
    SignInRequired,
    /// The account has a password that another person set: its owner chooses one first.
    OwnPasswordRequired,
    /// Who they say they are could not be proven.
    WrongCredentials,
    /// The actor may see it but not do this to it.
    Forbidden(String),
    /// Somebody else was faster, or what is asked for does not go with how things stand.
    Conflict(String),
    /// The name in this field belongs to something else; `more` are others of the same input that do.
    Taken { field: &'static str, message: String, more: Vec<Complaint> },
    /// It has changed since the actor read it, and they said that this matters.
    Stale(String),
    /// Larger than a limit.
    TooLarge(String),
    /// This actor asks too often: try again after so many seconds.
    TooMany { message: String, retry_after_s: u64 },
    /// A part is out of order or has too much to do: try again after so many seconds.
    Busy { message: String, retry_after_s: u64 },
    /// No room is left for what was sent.
    Full(String),
    /// A fault of ours, or of the machine.
    Internal(anyhow::Error),
}

/// What is wrong, and with which field when it is one.
pub type Complaint = (Option<&'static str>, String);

impl Error {
    pub fn not_found(what: &str) -> Self {
        Error::NotFound(format!("This {what} does not exist, or you do not have access to it."))
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Error::Invalid { field: None, message: message.into(), more: Vec::new() }
    }

    pub fn invalid_field(field: &'static str, message: impl Into<String>) -> Self {
        Error::Invalid { field: Some(field), message: message.into(), more: Vec::new() }
    }

    /// For a cursor that names no place in its list.
    pub fn no_such_page() -> Self {
        Error::invalid_field("after", "This page cannot be continued. Start at the first page.")
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Error::Conflict(message.into())
    }

    /// After how many seconds it makes sense to try again.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Error::TooMany { retry_after_s, .. } | Error::Busy { retry_after_s, .. } => {
                Some(*retry_after_s)
            }
            _ => None,
        }
    }

    /// The whole chain, for the log and the command line; a user must not see it.
    pub fn chain(&self) -> String {
        match self {
            Error::Internal(chain) => format!("{chain:#}"),
            known => known.to_string(),
        }
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Error::Forbidden(message.into())
    }

    pub fn taken(field: &'static str, message: impl Into<String>) -> Self {
        Error::Taken { field, message: message.into(), more: Vec::new() }
    }

    /// Everything that is wrong with the input, in the order in which it was looked at.
    pub fn complaints(&self) -> Vec<Complaint> {
        match self {
            Error::Invalid { field, message, more } => {
                let first = (*field, message.clone());
                std::iter::once(first).chain(more.iter().cloned()).collect()
            }
            Error::Taken { field, message, more } => {
                let first = (Some(*field), message.clone());
                std::iter::once(first).chain(more.iter().cloned()).collect()
            }
            other => vec![(None, other.to_string())],
        }
    }
}

/// The sentence for the user. An internal fault shows no detail here: log it with `{:#}` of the
/// chain inside instead.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid { message, more, .. } | Error::Taken { message, more, .. } => {
                f.write_str(message)?;
                more.iter().try_for_each(|(_, message)| write!(f, " {message}"))
            }
            Error::NotFound(message)
            | Error::Forbidden(message)
            | Error::Conflict(message)
            | Error::Stale(message)
            | Error::TooLarge(message)
            | Error::TooMany { message, .. }
            | Error::Busy { message, .. }
            | Error::Full(message) => f.write_str(message),
            Error::SignInRequired => f.write_str("Sign in to continue."),
            Error::OwnPasswordRequired => f.write_str(
                "Somebody else has set your password. Choose your own first: on the page \
                 /account/password, or with POST /api/users/me/password.",
            ),
            Error::WrongCredentials => f.write_str("The username or the password is wrong."),
            Error::Internal(_) => f.write_str(
                "Something went wrong on our side. Try again; if it stays, tell your administrator.",
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<anyhow::Error> for Error {
    /// An `Error` that travelled inside a chain comes out as itself.
    fn from(chain: anyhow::Error) -> Self {
        chain.downcast::<Error>().unwrap_or_else(Error::Internal)
    }
}

impl From<std::io::Error> for Error {
    /// An `Error` that travelled inside comes out as itself.
    fn from(error: std::io::Error) -> Self {
        error.downcast::<Error>().unwrap_or_else(|error| Error::Internal(error.into()))
    }
}
