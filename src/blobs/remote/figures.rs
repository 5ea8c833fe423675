//! Requests to S3, counted for monitoring.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use super::Direction;

/// By direction and outcome; clones count together.
pub type S3Requests = Family<S3Request, Counter>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct S3Request {
    /// `read` or `write`.
    direction: &'static str,
    /// `ok` or `failed`: what says something about S3, not whether an object is there.
    outcome: &'static str,
}

impl S3Request {
    pub(super) fn of(direction: Direction, went_well: bool) -> Self {
        S3Request {
            direction: match direction {
                Direction::Read => "read",
                Direction::Write | Direction::Delete => "write",
            },
            outcome: if went_well { "ok" } else { "failed" },
        }
    }
}

/// All of them at zero, so that the first failure is an increase.
pub fn requests() -> S3Requests {
    let requests = S3Requests::default();
    for direction in [Direction::Read, Direction::Write] {
        for went_well in [true, false] {
            drop(requests.get_or_create(&S3Request::of(direction, went_well)));
        }
    }
    requests
}
