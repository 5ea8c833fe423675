//! The one test binary: a file per noun.

mod support;

mod blobs;
mod cli;
mod config;
mod control;
mod gallery;
mod integrity;
mod search;
mod store_engine;
mod tidy;
