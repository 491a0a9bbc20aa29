//! Takes a header off a socket, and nothing behind it.

use super::{BadHeader, Endpoints, Extent, HEADER_BYTES_MAX, extent, parse};
use crate::transport::Transport;
use rustix::net::{RecvFlags, recv};
use std::io;
use tokio::io::Interest;

/// Why no header was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoHeader {
    #[error("{0}")]
    Bad(#[from] BadHeader),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads the header at the start of a connection. What follows it belongs to TLS or HTTP, so bytes are looked at first
/// and only those of the header are taken.
pub(crate) async fn read(transport: &Transport) -> Result<Option<Endpoints>, NoHeader> {
    let mut bytes = vec![0; HEADER_BYTES_MAX];
    let mut taken = 0;
    loop {
        let seen = taken + receive(transport, &mut bytes[taken..], RecvFlags::PEEK).await?;
        let (end, whole) = match extent(&bytes[..seen])? {
            Extent::Part => (seen, false),
            Extent::Whole(length) => (length, true),
        };
        // All of it is there, but the kernel may still hand it over in parts.
        while taken < end {
            taken += receive(transport, &mut bytes[taken..end], RecvFlags::empty()).await?;
        }
        if whole {
            return Ok(parse(&bytes[..end])?);
        }
    }
}

/// Waits for bytes; at least one, because a connection that ends here ends within the header.
async fn receive(transport: &Transport, space: &mut [u8], flags: RecvFlags) -> Result<usize, NoHeader> {
    let received = match transport {
        Transport::Tcp(stream) => {
            stream.async_io(Interest::READABLE, || Ok(recv(stream, &mut *space, flags)?.0)).await?
        }
        Transport::Unix(stream) => {
            stream.async_io(Interest::READABLE, || Ok(recv(stream, &mut *space, flags)?.0)).await?
        }
        // The header stands before the handshake; a session has no socket of its own to look at.
        Transport::Tls(_) => 0,
    };
    if received == 0 { Err(BadHeader::Short.into()) } else { Ok(received) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy_protocol::{Version, prelude};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn a_header_in_pieces_is_read_and_what_follows_is_left() {
        for version in [Version::V1, Version::V2] {
            let (mut near, far) = UnixStream::pair().expect("a pair");
            let mut far = Transport::Unix(far);
            let (client, server) = ("192.0.2.1:1".parse().ok(), "10.0.0.1:2".parse().ok());
            let header = prelude(version, client, server);
            let (read, ()) = tokio::join!(read(&far), async {
                for byte in &header[..header.len() - 1] {
                    near.write_all(&[*byte]).await.expect("written");
                    tokio::task::yield_now().await;
                }
                near.write_all(&[&header[header.len() - 1..], b"GET"].concat()).await.expect("written");
            });
            assert_eq!(read.expect("a header").map(|ends| ends.client), client);
            drop(near);
            let mut rest = String::new();
            far.read_to_string(&mut rest).await.expect("the rest");
            assert_eq!(rest, "GET", "{version:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_within_its_header_has_none() {
        let (mut near, far) = UnixStream::pair().expect("a pair");
        near.write_all(b"PROXY TCP4 ").await.expect("written");
        drop(near);
        let read = read(&Transport::Unix(far)).await;
        assert!(matches!(read, Err(NoHeader::Bad(BadHeader::Short))), "{read:?}");
    }
}
