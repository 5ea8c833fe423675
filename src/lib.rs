//! Appliance: a document and media portal in one file.

// base
pub mod clock;
pub mod config;
pub mod error;
pub mod hash;
pub mod id;
pub mod size;

// engines
pub mod blobs;
pub mod extract;
pub mod host;
pub mod search;
pub mod store;

// meaning
pub mod domain;

// flows
pub mod app;

// edges
pub mod cli;
pub mod control;
pub mod web;
