//! The one test binary: a file per noun.

mod support;

mod access;
mod api_access;
mod api_account;
mod api_description;
mod api_documents;
mod api_library;
mod api_people;
mod blobs;
mod cli;
mod config;
mod control;
mod domain;
mod extract;
mod gallery;
mod integrity;
mod oracle;
mod pages;
mod search;
mod store;
mod store_engine;
mod store_keys;
mod tidy;
