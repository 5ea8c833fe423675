//! The API: JSON for programs, one file per noun.
//!
//! A handler parses, asks one verb of `domain` or one flow of `app`, and renders what came out as one
//! of the `…View` structs here. Those structs are also what the reference is made of: [`openapi`]
//! reads the endpoint table in [`routes`](super::routes) and describes each of them, with the
//! comments that stand beside their fields. So a comment on a field here is read by the people who
//! use the API.
//!
//! What must stay true: no handler decides about access by itself; it asks a verb that does, and a
//! document is read through [`documents::readable`](crate::domain::documents::readable) alone.
//! Unknown fields in a body are refused, unknown keys in an address passed over. Lists that grow with
//! the library have a cursor.

pub(super) mod parts;

pub mod health;
pub mod openapi;

pub mod account;
pub mod sessions;
pub mod sign_in;
pub mod tokens;

pub mod categories;
pub mod documents;
pub mod groups;
pub mod media;
pub mod people;
pub mod users;

pub mod backups;
pub mod events;
pub mod jobs;
pub mod settings;
pub mod storage;
pub mod system;
