//! What Amazon tells a machine on EC2 about itself, by the instance metadata service.
//!
//! Asked by its fixed address, without a proxy, and only on a machine that is Amazon's: elsewhere
//! nobody answers at that address, which takes time to find out.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

const SERVICE: ([u8; 4], u16) = ([169, 254, 169, 254], 80);
/// It answers from within the machine's own host.
const PATIENCE: Duration = Duration::from_secs(1);
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// True on a machine of EC2, as its firmware tells.
pub fn is_ec2() -> bool {
    let vendor = fs::read_to_string("/sys/devices/virtual/dmi/id/sys_vendor");
    let hypervisor = fs::read_to_string("/sys/hypervisor/uuid");
    vendor.is_ok_and(|vendor| vendor.trim() == "Amazon EC2")
        || hypervisor.is_ok_and(|uuid| uuid.starts_with("ec2"))
}

/// The address at which the world reaches this machine; `None` when it has none of its own, or is
/// not on EC2.
pub fn public_address() -> Option<IpAddr> {
    if !is_ec2() {
        return None;
    }
    let token = token()?;
    let header = format!("X-aws-ec2-metadata-token: {token}\r\n");
    let (status, body) = ask("GET", "/latest/meta-data/public-ipv4", &header)?;
    if status == 200 { body.trim().parse().ok() } else { None }
}

/// What Amazon calls this machine, such as `i-0abc…`: a copy of its disk on another machine has another
/// one. Empty when it is not on EC2, `None` when it cannot be learned now. Newer machines have it in
/// their firmware, where nobody has to answer.
pub fn instance_id() -> Option<String> {
    if !is_ec2() {
        return Some(String::new());
    }
    let tag = fs::read_to_string("/sys/devices/virtual/dmi/id/board_asset_tag").unwrap_or_default();
    if tag.starts_with("i-") {
        return Some(tag.trim().to_owned());
    }
    let header = format!("X-aws-ec2-metadata-token: {}\r\n", token()?);
    let (status, body) = ask("GET", "/latest/meta-data/instance-id", &header)?;
    (status == 200 && body.starts_with("i-")).then(|| body.trim().to_owned())
}

/// Whether the metadata service answers without a token, as it did before version 2; then whatever
/// can make this machine fetch an address can read the credentials of its role. `None` when it does
/// not answer at all.
pub fn answers_without_token() -> Option<bool> {
    if !is_ec2() {
        return None;
    }
    let (status, _) = ask("GET", "/latest/meta-data/", "")?;
    Some(status == 200)
}

fn token() -> Option<String> {
    let lifetime = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
    let (status, body) = ask("PUT", "/latest/api/token", lifetime)?;
    (status == 200).then(|| body.trim().to_owned())
}

/// One exchange in HTTP/1.0, which ends with the connection: status and body.
fn ask(method: &str, path: &str, headers: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(SERVICE), PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let request = format!("{method} {path} HTTP/1.0\r\n{headers}Content-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let status = answer.split_whitespace().nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())?;
    Some((status, body))
}
