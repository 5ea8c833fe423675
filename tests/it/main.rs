//! The one test binary: a file per noun.

mod extract;
mod support;

mod api_access;
mod api_account;
mod api_description;
mod access;
mod api_documents;
mod api_library;
mod api_people;
mod blobs;
mod domain;
mod gallery;
mod oracle;
mod store;
mod store_engine;
mod store_keys;
mod pages;
mod cli;
mod config;
mod control;
mod gallery;
mod integrity;
mod search;
mod store_engine;
mod tidy;
