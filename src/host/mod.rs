//! The machine it runs on.

pub mod clock;
pub mod disk;
pub mod limits;
pub mod owner;
pub mod ports;
pub mod processes;
pub mod service;
pub mod sockets;
