//! Has certificates issued by an authority that speaks ACME (RFC 8555).
//!
//! [`Client`] knows one server and one account there. [`Client::issue`] proves that a domain is ours
//! by one [`Challenge`], which the caller answers through [`Answers`], and comes back with a
//! certificate or a [`Failure`] that says what to do.

mod client;
mod failure;
mod http;

pub use self::{
    client::{Answers, Challenge, Client, Renewal},
    failure::Failure,
};

/// The protocol by which the authority knocks for TLS-ALPN-01 (RFC 8737).
pub const ALPN: &[u8] = b"acme-tls/1";
