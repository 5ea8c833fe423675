//! The one test binary: a file per noun.

mod extract;
