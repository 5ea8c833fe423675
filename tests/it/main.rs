//! The one test binary: a file per noun.

mod support;

mod api_documents;
mod blobs;
mod gallery;
mod store_engine;
