//! Version 2: a binary block (section 2.2).

use super::checksum::crc32c;
use super::{BadHeader, Endpoints, Extent, Family, HEADER_BYTES_MAX};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length.
const FIXED_BYTES: usize = 16;

/// Source and destination path of a Unix connection, in bytes.
const UNIX_BYTES: usize = 216;

/// The extension that holds a checksum over the whole header (section 2.2.3).
const CRC32C: u8 = 0x03;

pub(super) fn extent(bytes: &[u8]) -> Result<Extent, BadHeader> {
    let Some(&[version_and_command, _, high, low]) = bytes.get(SIGNATURE.len()..FIXED_BYTES) else {
        return Ok(Extent::Part);
    };
    // Another version may mean something else by the length.
    if version_and_command >> 4 != 2 {
        return Err(BadHeader::Block);
    }
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > HEADER_BYTES_MAX {
        return Err(BadHeader::Long);
    }
    Ok(if bytes.len() < length { Extent::Part } else { Extent::Whole(length) })
}

pub(super) fn parse(header: &[u8]) -> Result<Option<Endpoints>, BadHeader> {
    let (fixed, block) = header.split_at_checked(FIXED_BYTES).ok_or(BadHeader::Short)?;
    let (command, family, transport) = (fixed[12] & 0x0f, fixed[13] >> 4, fixed[13] & 0x0f);
    match command {
        // LOCAL: whatever else stands there is to be ignored.
        0 => return Ok(None),
        1 => {}
        _ => return Err(BadHeader::Block),
    }
    // Stream or datagram: that a load balancer turned one into the other does not change who the client is.
    if family > 3 || transport > 2 {
        return Err(BadHeader::Block);
    }
    let (endpoints, extensions) = match family {
        0 => return Ok(None),
        1 => ends::<4>(block)?,
        2 => ends::<16>(block)?,
        // A Unix socket has no address that means anything here.
        _ => (None, block.get(UNIX_BYTES..).ok_or(BadHeader::Block)?),
    };
    check_extensions(header, header.len() - extensions.len())?;
    Ok(endpoints.filter(|_| transport != 0).map(Endpoints::canonical))
}

/// Two addresses of `N` bytes, two ports, and what follows.
fn ends<const N: usize>(block: &[u8]) -> Result<(Option<Endpoints>, &[u8]), BadHeader>
where
    [u8; N]: Into<IpAddr>,
{
    let (client, block) = block.split_first_chunk::<N>().ok_or(BadHeader::Block)?;
    let (server, block) = block.split_first_chunk::<N>().ok_or(BadHeader::Block)?;
    let (client_port, block) = block.split_first_chunk().ok_or(BadHeader::Block)?;
    let (server_port, rest) = block.split_first_chunk().ok_or(BadHeader::Block)?;
    let end = |address: [u8; N], port| SocketAddr::new(address.into(), u16::from_be_bytes(port));
    Ok((Some(Endpoints { client: end(*client, *client_port), server: end(*server, *server_port) }), rest))
}

/// Walks the extensions from byte `at` on: each must fit, and a checksum must be right. Nothing else of them is used.
fn check_extensions(header: &[u8], mut at: usize) -> Result<(), BadHeader> {
    while at < header.len() {
        let Some(&[kind, high, low]) = header.get(at..at + 3) else { return Err(BadHeader::Extension) };
        let value = at + 3..at + 3 + usize::from(u16::from_be_bytes([high, low]));
        let told = header.get(value.clone()).ok_or(BadHeader::Extension)?;
        if kind == CRC32C {
            let told: [u8; 4] = told.try_into().map_err(|_| BadHeader::Extension)?;
            // Computed as if its own place held zeros.
            let actual = crc32c([&header[..value.start], &[0; 4], &header[value.end..]]);
            if actual != u32::from_be_bytes(told) {
                return Err(BadHeader::Checksum);
            }
        }
        at = value.end;
    }
    Ok(())
}

pub(super) fn write(endpoints: Option<Endpoints>) -> Vec<u8> {
    let mut header = Vec::with_capacity(FIXED_BYTES + 36);
    header.extend_from_slice(SIGNATURE);
    let Some(endpoints) = endpoints else {
        // PROXY and not LOCAL: there is a client, only its address is not known.
        header.extend_from_slice(&[0x21, 0x00, 0, 0]);
        return header;
    };
    match endpoints.family() {
        Family::V4(ends) => {
            header.extend_from_slice(&[0x21, 0x11, 0, 12]);
            ends.iter().for_each(|end: &Ipv4Addr| header.extend_from_slice(&end.octets()));
        }
        Family::V6(ends) => {
            header.extend_from_slice(&[0x21, 0x21, 0, 36]);
            ends.iter().for_each(|end: &Ipv6Addr| header.extend_from_slice(&end.octets()));
        }
    }
    header.extend_from_slice(&endpoints.client.port().to_be_bytes());
    header.extend_from_slice(&endpoints.server.port().to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::super::{parse, prelude};
    use super::*;
    use crate::proxy_protocol::Version;

    const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0xdb, 0xfc, 0x01, 0xbb];

    fn block(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("a length").to_be_bytes();
        [SIGNATURE, &[version_and_command, family], &length, rest].concat()
    }

    fn told(header: &[u8]) -> Result<Option<String>, BadHeader> {
        parse(header).map(|told| told.map(|ends| format!("{} {}", ends.client, ends.server)))
    }

    #[test]
    fn blocks_say_who_the_client_is() {
        let wanted = Ok(Some("192.0.2.1:56316 10.0.0.1:443".to_owned()));
        assert_eq!(told(&block(0x21, 0x11, &V4)), wanted);
        assert_eq!(told(&block(0x21, 0x12, &V4)), wanted);
        let mut v6 = [0; 36];
        (v6[0], v6[1], v6[15], v6[31], v6[33], v6[35]) = (0x20, 0x01, 7, 1, 80, 81);
        assert_eq!(told(&block(0x21, 0x21, &v6)), Ok(Some("[2001::7]:80 [::1]:81".to_owned())));
    }

    #[test]
    fn some_blocks_name_nobody() {
        for header in [
            block(0x20, 0x00, &[]),
            block(0x20, 0xff, b"LOCAL ignores everything"),
            block(0x21, 0x00, &[]),
            block(0x21, 0x00, b"no addresses"),
            block(0x21, 0x10, &V4),
            block(0x21, 0x31, &[b'/'; 216]),
        ] {
            assert_eq!(told(&header), Ok(None), "{header:?}");
        }
    }

    #[test]
    fn unassigned_values_and_short_addresses_are_refused() {
        for header in [
            block(0x11, 0x11, &V4),
            block(0x31, 0x11, &V4),
            block(0x22, 0x11, &V4),
            block(0x21, 0x13, &V4),
            block(0x21, 0x41, &V4),
            block(0x21, 0x11, &V4[..11]),
            block(0x21, 0x21, &V4),
            block(0x21, 0x31, &[b'/'; 215]),
        ] {
            assert_eq!(told(&header), Err(BadHeader::Block), "{header:?}");
        }
        assert_eq!(told(&block(0x21, 0x00, &[0; HEADER_BYTES_MAX])), Err(BadHeader::Long));
        assert_eq!(told(&[&block(0x21, 0x11, &V4)[..], b"G"].concat()), Err(BadHeader::Long));
    }

    #[test]
    fn extensions_must_fit() {
        let with = |extensions: &[u8]| told(&block(0x21, 0x11, &[&V4[..], extensions].concat()));
        assert!(with(b"\x02\0\x03a.b\x04\0\0\xe0\0\x01x").is_ok());
        for extensions in [&b"\x02"[..], b"\x02\0", b"\x02\0\x01", b"\x04\0\0\x02\xff\xffab"] {
            assert_eq!(with(extensions), Err(BadHeader::Extension), "{extensions:?}");
        }
        assert_eq!(with(b"\x03\0\x03abc"), Err(BadHeader::Extension));
    }

    #[test]
    fn a_checksum_is_verified() {
        let header = |sum: u32| {
            let extensions = [&b"\x04\0\x01x\x03\0\x04"[..], &sum.to_be_bytes(), b"\x05\0\x01y"].concat();
            block(0x21, 0x11, &[&V4[..], &extensions].concat())
        };
        let sum = crc32c([&header(0), &[], &[]]);
        assert!(told(&header(sum)).is_ok());
        assert_eq!(told(&header(sum ^ 1)), Err(BadHeader::Checksum));
        let mut damaged = header(sum);
        damaged[16] = 193;
        assert_eq!(told(&damaged), Err(BadHeader::Checksum));
    }

    #[test]
    fn blocks_are_written_as_the_standard_shows_them() {
        let write = |client: &str, server: &str| prelude(Version::V2, client.parse().ok(), server.parse().ok());
        assert_eq!(write("192.0.2.1:56316", "10.0.0.1:443"), block(0x21, 0x11, &V4));
        assert_eq!(write("", "10.0.0.1:443"), block(0x21, 0x00, &[]));
        assert_eq!(write("[::2]:1", "[::1]:2").len(), 52);
    }
}
