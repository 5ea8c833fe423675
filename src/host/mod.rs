//! The machine it runs on.

pub mod disk;
