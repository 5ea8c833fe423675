//! The one test binary: a file per noun.

mod support;

mod api_access;
mod api_account;
mod api_description;
mod api_documents;
mod api_library;
mod api_people;
mod blobs;
mod gallery;
mod oracle;
mod search;
mod store_engine;
mod tidy;
