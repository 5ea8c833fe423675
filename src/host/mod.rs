//! The machine it runs on.

pub mod accounts;
pub mod addresses;
pub mod clock;
pub mod cloud;
pub mod commands;
pub mod files;
pub mod firewall;
pub mod folders;
pub mod journal;
pub mod limits;
pub mod machine;
pub mod owner;
pub mod places;
pub mod ports;
pub mod power;
pub mod processes;
pub mod service;
pub mod sockets;
pub mod systemd;
