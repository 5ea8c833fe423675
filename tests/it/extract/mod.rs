//! Reading files: every format, pictures, hostile input, and the walls around the worker.

mod formats;
mod hostile;
mod pictures;
pub mod samples;
mod sandbox;
