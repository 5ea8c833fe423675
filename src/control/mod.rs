//! The local control socket: how the command line asks the server that runs.
//!
//! Only one process can have the data open. So a verb first asks whoever answers on
//! `control.sock` in the data folder, and opens the data itself when nobody does ([`ask_or_open`]).
//! Both ways end in [`carry_out`]: no verb has two implementations.
//!
//! One connection is one [`Request`]: a line of JSON, answered by lines of JSON. They say how far
//! it has come, and the last one is the [`Reply`] or why there is none. Whoever can connect is the
//! owner of the data already: the socket lies in a folder that is closed to everybody else, is
//! closed itself, and the server looks at who asks.

mod accounts;
mod asking;
mod backups;
mod carry_out;
mod https;
mod listening;
mod opening;
mod socket;
mod wire;

pub use self::{
    accounts::{Account, Added, NewAccount, Password},
    asking::{AskError, ask},
    backups::without_portal,
    carry_out::{Running, Status, carry_out, setup_url},
    https::{Change, HttpsChange},
    listening::{Listener, Listening, listen},
    opening::{Refused, ask_or_open},
    wire::{Reply, Request},
};

/// The name of the socket in the data folder.
pub const SOCKET: &str = "control.sock";
