//! Which machine this is.

use std::fs;

use crate::hash::Digest;

/// A name of this machine that no other one has and that stays over restarts: the hash of its id in
/// `/etc/machine-id`, which itself must not leave it (machine-id(5)). Empty where there is none, such
/// as in some containers: they are then all the same one.
pub fn id() -> String {
    match fs::read_to_string("/etc/machine-id") {
        Ok(id) => Digest::of(id.trim().as_bytes()).to_string(),
        Err(_) => String::new(),
    }
}
