//! The way to an object: whether that is to blame, or the object itself.

use std::io;

use tokio::task::JoinError;

use crate::{
    backup::{Fault, frames},
    error::Error,
};

/// A bucket does not do what it is asked for; a sentence says what may help.
#[derive(Debug)]
pub(super) struct Unreachable(pub String);

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

/// True for what the way to an object is to blame for, or this program: nothing is known of the object.
pub fn is_unreachable(fault: &Error) -> bool {
    let Error::Internal(chain) = fault else { return false };
    let is_elsewhere = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<Unreachable>() || cause.is::<JoinError>() || way(cause).is_some()
    };
    chain.chain().any(is_elsewhere) && !is_on_bad_place(fault)
}

/// True for what lies where the disk cannot read: mostly for good, and now and then only once.
pub(super) fn is_on_bad_place(fault: &Error) -> bool {
    let Error::Internal(chain) = fault else { return false };
    let is_bad_place = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(frames::is_bad_place)
    };
    chain.chain().any(is_bad_place)
}

/// True for what was read and is not what was written.
pub(super) fn is_damage(fault: &Error) -> bool {
    match fault {
        Error::Internal(_) => !is_unreachable(fault),
        // What its beginning says makes no sense: a flipped byte there.
        Error::Invalid { message, .. } => *message == Fault::NotABackup.to_string(),
        _ => false,
    }
}

/// The error of the way, also inside one of a reader.
pub(super) fn way<'a>(
    cause: &'a (dyn std::error::Error + 'static),
) -> Option<&'a object_store::Error> {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause
        .downcast_ref::<object_store::Error>()
        .or_else(|| inner.and_then(|inner| inner.downcast_ref()))
}
