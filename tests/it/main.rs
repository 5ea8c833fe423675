//! The one test binary: a file per noun.

mod blobs;
mod extract;
mod gallery;
