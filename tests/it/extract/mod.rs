//! Reading files: every format, pictures, hostile input, and the walls around the worker.

mod formats;
mod hostile;
mod pictures;
mod samples;
mod sandbox;
