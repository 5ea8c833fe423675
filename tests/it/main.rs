//! The one test binary: a file per noun.

mod support;

mod access;
mod blobs;
mod domain;
mod gallery;
mod store;
mod store_engine;
mod store_keys;
mod search;
mod tidy;
