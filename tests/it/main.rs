//! The one test binary: a file per noun.

mod support;

mod blobs;
mod gallery;
mod search;
mod store_engine;
mod tidy;
