//! The one test binary: a file per noun.

mod support;

// the base and the engines
mod blobs;
mod config;
mod extract;
mod search;
mod storage;
mod store;
mod store_engine;
mod store_keys;

// the meaning
mod access;
mod domain;

// the edges
mod api;
mod backup;
mod browser;
mod cli;
mod control;
mod crash;
mod descriptors;
mod disk;
mod drawing;
mod front;
mod gallery;
mod http2;
mod https;
mod indexing;
mod installed;
mod integrity;
mod late;
mod metrics;
mod oracle;
mod pages;
mod public;
mod service;
mod sign_in;
mod system;
mod update;
mod upkeep;

// the shape of the code
mod tidy;
