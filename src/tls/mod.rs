//! Certificates: read, made and fetched, and put before whoever connects.
//!
//! [`Keyring`] holds what the server shows and can be changed while it runs. [`KeyPair`] is a
//! certificate with its key, from PEM; [`self_signed`] makes one when there is none to be had, and
//! [`acme`] has one issued by an authority (RFC 8555). Nothing here knows where they are kept.

pub mod acme;
mod key_pair;
mod keyring;
mod self_signed;

pub use self::{
    key_pair::KeyPair,
    keyring::{Keyring, server_config},
    self_signed::{SelfSigned, self_signed},
};
