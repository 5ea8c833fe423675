//! The one test binary: a file per noun.

mod extract;
mod support;

mod access;
mod api_documents;
mod blobs;
mod domain;
mod gallery;
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
