//! The search engine: what is found, what stays hidden, and what a crash leaves.

mod correcting;
mod filters;
mod finding;
mod keeping;
mod snippets;
mod tools;
mod visibility;
mod worlds;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use appliance::{
    error::Error,
    search::{
        Change, Entry, Facets, Filters, Index, Named, Opened, Options, Page, Request, Scope, Sort,
        Source,
    },
};
use proptest::prelude::*;
use uuid::Uuid;

use self::{tools::*, worlds::*};

/// Where the child that is killed writes.
const CHILD_FOLDER: &str = "APPLIANCE_TEST_INDEX_FOLDER";
const TENANT: Uuid = Uuid::from_u128(0x7E4A);
