//! The one test binary: a file per noun.

mod support;

mod api_documents;
mod blobs;
mod browser;
mod gallery;
mod pages;
mod search;
mod store_engine;
mod tidy;
