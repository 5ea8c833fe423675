//! What the portal is about: its records, and the verbs people do with them.
//!
//! Everything here is plain, synchronous Rust inside a transaction of the store: no HTTP, no
//! files, no search index, no waiting. A verb takes the transaction, the [`Actor`](access::Actor)
//! who asks, and what is wanted; it decides through [`access`], writes records, and leaves an
//! [`Event`](events::Event) for the audit log and a [`Job`](jobs::Job) for what must happen later,
//! all in the one transaction.

pub mod access;
pub mod text;

pub mod groups;
pub mod memberships;
pub mod organizations;
pub mod users;

pub mod blobs;
pub mod categories;
pub mod documents;
pub mod file_type;
pub mod versions;

pub mod passwords;
pub mod secrets;
pub mod sessions;
pub mod tokens;

pub mod events;
pub mod jobs;
pub mod settings;
pub mod setup;

pub mod backups;
pub mod certificates;
pub mod integrity;
pub mod records;
pub mod restoring;
pub mod storage;
mod tables;

pub use self::tables::{EVERY_TABLE, TABLES, TableAccess};
