//! The API, as a program uses it: a file per noun, and what its description says of it.

mod access;
mod account;
mod description;
mod documents;
mod library;
mod users;
