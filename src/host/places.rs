//! Where an installed portal has its parts. One machine has one.

/// As whom it runs; the group has the same name.
pub const USER: &str = "appliance";
pub const PROGRAM: &str = "/usr/local/bin/appliance";
/// Holds the configuration file and the variables of the service.
pub const CONFIG_FOLDER: &str = "/etc/appliance";
pub const ENVIRONMENT_FILE: &str = "/etc/appliance/appliance.env";
pub const DATA: &str = "/var/lib/appliance";
/// Versions that can come back, and what an update needs while it is under way.
pub const LIBRARY: &str = "/usr/local/lib/appliance";
/// Files by which commands keep each other out; empty after each start of the machine.
pub const LOCKS: &str = "/run";
/// There while an installation is under way.
pub const INSTALLING: &str = "/run/appliance-installing";
pub const UNIT_FOLDER: &str = "/etc/systemd/system";
/// Where an update puts its line into the service while it is under way.
pub const CHANGEOVER_UNIT: &str = "/etc/systemd/system/appliance.service.d/changeover.conf";
/// Manual and completions lie below it.
pub const SHARED: &str = "/usr/local/share";
pub const SERVICE: &str = "appliance.service";
pub const SOCKET: &str = "appliance.socket";
/// What the socket listens on.
pub const PORTS: [u16; 2] = [80, 443];
