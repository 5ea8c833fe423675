//! The PROXY protocol, versions 1 and 2 (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>):
//! a proxy tells in front of everything else who is behind it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// With its end, the longest line of version 1.
const LINE_BYTES_MAX: usize = 107;
/// Addresses and whatever else a proxy adds; a certificate of the client may be among it.
const REST_BYTES_MAX: usize = 8 << 10;

/// In front of the addresses of a header of version 2: what else is told (2.2).
const TLV_HEAD_BYTES: usize = 3;
/// How the client spoke TLS with the proxy (2.2.5).
const TLV_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What a proxy tells of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `None` when the proxy speaks for itself.
    pub client: Option<SocketAddr>,
    /// To which port of the proxy the client came.
    port: Option<u16>,
    /// The proxy says that it took off the TLS that the client speaks.
    was_tls: bool,
}

impl Header {
    /// True when the client is known to speak HTTPS with the proxy.
    pub fn is_secure(self) -> bool {
        self.was_tls || self.port == Some(HTTPS_PORT)
    }

    /// True when the client is known not to.
    pub fn is_plain(self) -> bool {
        !self.was_tls && self.port == Some(HTTP_PORT)
    }
}

/// Reads the header and not a byte more.
///
/// # Errors
/// `InvalidData` when there is none.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Header> {
    // The shortest line of version 1 has 15 bytes.
    let mut begin = [0; SIGNATURE.len()];
    stream.read_exact(&mut begin).await?;
    match begin == SIGNATURE {
        true => read_binary(stream).await,
        false if begin.starts_with(b"PROXY ") => read_line(stream, &begin).await,
        false => Err(broken("a proxy's connection begins without the PROXY protocol")),
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), begin: &[u8]) -> io::Result<Header> {
    let mut line = begin.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_BYTES_MAX {
            return Err(broken("the line of the PROXY protocol is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    let wrong = || broken("the line of the PROXY protocol cannot be read");
    let line = std::str::from_utf8(&line).map_err(|_| wrong())?;
    let mut words = line.trim_end().split(' ').skip(1);
    match words.next() {
        Some("UNKNOWN") => return Ok(Header::default()),
        Some("TCP4" | "TCP6") => {}
        _ => return Err(wrong()),
    }
    let ip = words.next().and_then(|word| word.parse::<IpAddr>().ok()).ok_or_else(wrong)?;
    // After the address of the proxy.
    let from = words.nth(1).and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
    let to = words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
    Ok(Header { client: Some(SocketAddr::new(ip, from)), port: Some(to), was_tls: false })
}

async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Header> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if command >> 4 != 2 || length > REST_BYTES_MAX {
        return Err(broken("the PROXY protocol is not of version 2"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    let is_local = command & 0x0F == 0;
    let (address_bytes, address): (usize, fn(&[u8]) -> Option<IpAddr>) = match family {
        _ if is_local => return Ok(Header::default()),
        0x11 => (4, |bytes| <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from)),
        0x21 => (16, |bytes| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)),
        // No address of the internet.
        _ => return Ok(Header::default()),
    };
    let ip = rest.get(..address_bytes).and_then(address);
    let ports = rest.get(2 * address_bytes..2 * address_bytes + 4);
    let (Some(ip), Some(&[from_high, from_low, to_high, to_low])) = (ip, ports) else {
        return Err(broken("the addresses of the PROXY protocol are cut off"));
    };
    Ok(Header {
        client: Some(SocketAddr::new(ip, u16::from_be_bytes([from_high, from_low]))),
        port: Some(u16::from_be_bytes([to_high, to_low])),
        was_tls: tells_of_tls(&rest[2 * address_bytes + 4..]),
    })
}

fn tells_of_tls(mut tlvs: &[u8]) -> bool {
    while let Some((&[kind, high, low], rest)) = tlvs.split_first_chunk::<TLV_HEAD_BYTES>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((value, next)) = rest.split_at_checked(length) else { return false };
        if kind == TLV_SSL {
            return value.first().is_some_and(|client| client & CLIENT_SSL != 0);
        }
        tlvs = next;
    }
    false
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(mut bytes: &[u8]) -> (Option<Option<String>>, usize) {
        let read = read(&mut bytes).await.ok();
        (read.map(|header| header.client.map(|client| client.to_string())), bytes.len())
    }

    fn known(address: &str) -> Option<Option<String>> {
        Some(Some(address.to_owned()))
    }

    #[tokio::test]
    async fn both_versions_tell_the_client_and_leave_the_rest() {
        let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET /";
        assert_eq!(of(line).await, (known("192.0.2.7:56324"), 5));
        assert_eq!(of(b"PROXY UNKNOWN\r\nGET /").await, (Some(None), 5));
        let mut binary = SIGNATURE.to_vec();
        binary.extend([0x21, 0x11, 0, 12, 192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 4, 1, 187]);
        binary.extend(b"GET /");
        assert_eq!(of(&binary).await, (known("192.0.2.7:56324"), 5));
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0x00, 0, 0]);
        assert_eq!(of(&local).await, (Some(None), 0));
    }

    #[tokio::test]
    async fn the_port_and_the_proxy_tell_whether_the_client_speaks_https() {
        let read = async |mut bytes: &[u8]| read(&mut bytes).await.expect("a header");
        let line = |port: u16| format!("PROXY TCP4 192.0.2.7 198.51.100.1 56324 {port}\r\n");
        let (http, https) = (read(line(80).as_bytes()).await, read(line(443).as_bytes()).await);
        assert!(http.is_plain() && !http.is_secure());
        assert!(https.is_secure() && !https.is_plain());
        let other = read(line(8080).as_bytes()).await;
        assert!(!other.is_plain() && !other.is_secure());

        // Port 80, and two things more: a name (2.2.2), and whether TLS was spoken.
        let binary = async |ssl: u8| {
            let tlvs = [&[2, 0, 1, b'a', TLV_SSL, 0, 5, ssl][..], &[0; 4]].concat();
            let mut bytes = SIGNATURE.to_vec();
            bytes.extend([0x21, 0x11, 0, 12 + tlvs.len() as u8]);
            bytes.extend([192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 4, 0, 80]);
            read(&[bytes, tlvs].concat()).await
        };
        assert!(binary(CLIENT_SSL).await.is_secure() && !binary(CLIENT_SSL).await.is_plain());
        assert!(binary(0).await.is_plain());
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let mut cut = SIGNATURE.to_vec();
        cut.extend([0x21, 0x11, 0, 2, 192, 0]);
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let others: [&[u8]; 4] =
            [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 here there 1 2\r\n", &cut, &long];
        for bytes in others {
            assert_eq!(of(bytes).await.0, None, "{bytes:?}");
        }
    }
}
