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
pub mod restoring;

use crate::store::{Record, Table};

/// Every table of the portal, for whatever walks through all of them. A number is in every key of
/// its table and never given out again.
pub const TABLES: &[Table] = &[
    settings::Settings::TABLE,
    organizations::Organization::TABLE,
    users::User::TABLE,
    memberships::Membership::TABLE,
    groups::Group::TABLE,
    groups::GroupMember::TABLE,
    categories::Category::TABLE,
    documents::Document::TABLE,
    versions::Version::TABLE,
    blobs::Blob::TABLE,
    sessions::Session::TABLE,
    tokens::ApiToken::TABLE,
    jobs::Job::TABLE,
    events::Event::TABLE,
    backups::Plan::TABLE,
    backups::Run::TABLE,
    certificates::AcmeAccount::TABLE,
    certificates::Certificate::TABLE,
    certificates::SelfSigned::TABLE,
];
