//! The firewall that Debian and Ubuntu offer, ufw. What stands in front of the machine, such as a
//! security group of EC2, is out of reach from here.

use super::commands;
use crate::error::Result;

/// By this word in a rule we know that it is ours.
const COMMENT: &str = "appliance";

/// What ufw says, line by line; `None` when it is not there or lets everything through.
fn rules() -> Result<Option<Vec<String>>> {
    let status = commands::attempt("ufw", ["status"])?;
    Ok(status
        .filter(|status| status.is_success && status.out.contains("Status: active"))
        .map(|status| status.out.lines().map(str::to_owned).collect()))
}

/// Which of these TCP ports an active firewall keeps closed.
pub fn closed(ports: &[u16]) -> Result<Vec<u16>> {
    let Some(rules) = rules()? else { return Ok(Vec::new()) };
    let is_open = |port: &u16| rules.iter().any(|rule| allows(rule, *port));
    Ok(ports.iter().copied().filter(|port| !is_open(port)).collect())
}

/// Which of these ports are open by a rule of ours.
pub fn opened_by_us(ports: &[u16]) -> Result<Vec<u16>> {
    let Some(rules) = rules()? else { return Ok(Vec::new()) };
    let is_ours = |port: &u16| {
        rules.iter().any(|rule| allows(rule, *port) && rule.ends_with(&format!("# {COMMENT}")))
    };
    Ok(ports.iter().copied().filter(is_ours).collect())
}

pub fn open(port: u16) -> Result<()> {
    commands::run("ufw", ["allow", &format!("{port}/tcp"), "comment", COMMENT]).map(drop)
}

pub fn close(port: u16) -> Result<()> {
    commands::run("ufw", ["delete", "allow", &format!("{port}/tcp")]).map(drop)
}

/// A line such as `80/tcp  ALLOW  Anywhere  # appliance`, or `80,443/tcp  ALLOW IN  Anywhere`, or
/// one that names a profile of a web server.
fn allows(rule: &str, port: u16) -> bool {
    let rule = rule.split('#').next().unwrap_or_default();
    let Some((to, from)) = rule.split_once(" ALLOW") else { return false };
    let everybody = from.trim_start().trim_start_matches("IN").trim().starts_with("Anywhere");
    let to = to.trim();
    let ports = to.strip_suffix("/tcp").unwrap_or(to);
    let is_it = match (to, port) {
        ("Nginx Full" | "Apache Full" | "WWW Full", 80 | 443) => true,
        ("Nginx HTTP" | "Apache" | "WWW", 80) => true,
        ("Nginx HTTPS" | "Apache Secure" | "WWW Secure", 443) => true,
        _ => ports.split(',').any(|one| one == port.to_string()),
    };
    everybody && is_it
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_ufw_are_understood() {
        assert!(allows(
            "80/tcp                     ALLOW       Anywhere                   # appliance",
            80
        ));
        assert!(allows("80,443/tcp                 ALLOW IN    Anywhere", 443));
        assert!(allows("443                        ALLOW       Anywhere", 443));
        assert!(allows("Nginx Full                 ALLOW       Anywhere", 443));
        assert!(!allows("8080/tcp                   ALLOW       Anywhere", 80));
        assert!(!allows("80/tcp                     ALLOW       10.0.0.0/8", 80));
        assert!(!allows("80/tcp                     DENY        Anywhere", 80));
    }
}
