//! `appliance grafana`: the board for Grafana, which is inside the program.

use super::{Exit, Failure, output};

/// Draws what `/metrics` tells; `tests/it/metrics.rs` looks whether each name in it exists.
const BOARD: &str = include_str!("../../assets/grafana/appliance.json");

pub fn run() -> Result<Exit, Failure> {
    output::print(BOARD)?;
    Ok(Exit::Done)
}
