//! Version 1: one line of text (section 2.1).

use super::{BadHeader, Endpoints, Extent, Family};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, with its end, in bytes.
const LINE_BYTES_MAX: usize = 107;

pub(super) fn extent(bytes: &[u8]) -> Result<Extent, BadHeader> {
    match bytes.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\n') {
        Some(end) => Ok(Extent::Whole(end + 1)),
        None if bytes.len() >= LINE_BYTES_MAX => Err(BadHeader::Long),
        None => Ok(Extent::Part),
    }
}

pub(super) fn parse(line: &[u8]) -> Result<Option<Endpoints>, BadHeader> {
    let line = line.strip_suffix(b"\r\n").and_then(|line| line.strip_prefix(SIGNATURE)).ok_or(BadHeader::Line)?;
    // What stands behind UNKNOWN is ignored, whatever it is.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Ok(None);
    }
    let line = std::str::from_utf8(line).map_err(|_| BadHeader::Line)?;
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(BadHeader::Line);
    let [family, client, server, client_port, server_port] = [word()?, word()?, word()?, word()?, word()?];
    if words.next().is_some() {
        return Err(BadHeader::Line);
    }
    let address = match family {
        "TCP4" => |text| address::<Ipv4Addr>(text),
        "TCP6" => |text| address::<Ipv6Addr>(text),
        _ => return Err(BadHeader::Line),
    };
    let client = SocketAddr::new(address(client)?, port(client_port)?);
    let server = SocketAddr::new(address(server)?, port(server_port)?);
    Ok(Some(Endpoints { client, server }.canonical()))
}

fn address<A: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, BadHeader> {
    text.parse::<A>().map(Into::into).map_err(|_| BadHeader::Line)
}

/// Digits without a leading zero; the standard library would take a sign as well.
fn port(text: &str) -> Result<u16, BadHeader> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical).ok_or(BadHeader::Line)
}

pub(super) fn write(endpoints: Option<Endpoints>) -> Vec<u8> {
    let Some(endpoints) = endpoints else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let (family, client, server) = match endpoints.family() {
        Family::V4([client, server]) => ("TCP4", client.to_string(), server.to_string()),
        Family::V6([client, server]) => ("TCP6", client.to_string(), server.to_string()),
    };
    let ports = [endpoints.client.port(), endpoints.server.port()];
    format!("PROXY {family} {client} {server} {} {}\r\n", ports[0], ports[1]).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::{parse, prelude};
    use super::*;
    use crate::proxy_protocol::Version;

    fn told(line: &str) -> Result<Option<String>, BadHeader> {
        parse(line.as_bytes()).map(|told| told.map(|ends| format!("{} {}", ends.client, ends.server)))
    }

    #[test]
    fn lines_say_who_the_client_is() {
        for (line, wanted) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", Some("192.0.2.1:56324 198.51.100.2:443")),
            ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", Some("255.255.255.255:65535 0.0.0.0:0")),
            ("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", Some("[2001:db8::1]:1 [::1]:2")),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:a00:1 1 2\r\n", Some("192.0.2.1:1 10.0.0.1:2")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN anything \u{1} at \r all\r\n", None),
        ] {
            assert_eq!(told(line), Ok(wanted.map(str::to_owned)), "{line:?}");
        }
    }

    #[test]
    fn lines_that_differ_in_any_way_are_refused() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 1\r\n",
            "PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n",
            "PROXY TCP4\t192.0.2.1 198.51.100.2 56324 443\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.2 56324 443\r\n",
            "PROXY TCP4 192.0.2 198.51.100.2 56324 443\r\n",
            "PROXY TCP4 ::1 ::1 56324 443\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n",
            "PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 056 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +56 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.2 1 443\r\n",
            "PROXY tcp4 192.0.2.1 198.51.100.2 1 443\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY UNKNOWN\n",
            "PROXY \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 \u{e9}\r\n",
        ] {
            assert_eq!(told(line), Err(BadHeader::Line), "{line:?}");
        }
    }

    #[test]
    fn a_line_has_107_bytes_at_most() {
        let line = |bytes: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(bytes - 16));
        assert_eq!(told(&line(107)), Ok(None));
        assert_eq!(told(&line(108)), Err(BadHeader::Long));
        assert_eq!(extent(&b"PROXY UNKNOWN ".repeat(20)), Err(BadHeader::Long));
    }

    #[test]
    fn lines_are_written_as_the_standard_shows_them() {
        let write = |client: &str, server: &str| {
            String::from_utf8(prelude(Version::V1, client.parse().ok(), server.parse().ok())).expect("text")
        };
        assert_eq!(write("192.168.0.1:56324", "192.168.0.11:443"), "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
        assert_eq!(write("[2001:db8::1]:1", "[::1]:443"), "PROXY TCP6 2001:db8::1 ::1 1 443\r\n");
        assert_eq!(write("", "[::1]:443"), "PROXY UNKNOWN\r\n");
    }
}
