//! Where an installed portal has its parts. One machine has one.

/// As whom it runs; the group has the same name.
pub const USER: &str = "appliance";
pub const PROGRAM: &str = "/usr/local/bin/appliance";
/// Holds the configuration file and the variables of the service.
pub const CONFIG_FOLDER: &str = "/etc/appliance";
pub const ENVIRONMENT_FILE: &str = "/etc/appliance/appliance.env";
pub const DATA: &str = "/var/lib/appliance";
pub const UNIT_FOLDER: &str = "/etc/systemd/system";
pub const SERVICE: &str = "appliance.service";
pub const SOCKET: &str = "appliance.socket";
/// What the socket listens on.
pub const PORTS: [u16; 2] = [80, 443];
