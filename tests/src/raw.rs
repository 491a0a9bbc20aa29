//! A connection as bytes: what smuggling, half-closed and slow peers are scripted with.

use crate::deadline::within;
use crate::head::Head;
use crate::socket::{Socket, connect};
use serve::listener::Address;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// A connection that is read and written by hand, on either side of a server.
pub struct Raw {
    socket: Box<dyn Socket>,
    unread: Vec<u8>,
}

/// A body as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawBody {
    /// The content, chunk framing removed.
    pub content: Vec<u8>,
    /// The trailer fields of a chunked body, one line each.
    pub trailers: Vec<String>,
}

/// How a connection stood when a script stopped to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer ended it in order.
    Closed,
    /// The peer ended it with a reset.
    Reset,
    /// It is still open.
    Open,
}

impl Raw {
    /// Opens a TCP connection.
    ///
    /// # Panics
    ///
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_to(&Address::Tcp(address)).await
    }

    /// Opens a connection.
    ///
    /// # Panics
    ///
    /// When nobody listens.
    pub async fn connect_to(address: &Address) -> Self {
        Self::over(connect(address).await.expect("a listener accepts"))
    }

    /// Opens a TCP connection from another address of this machine, such as 127.0.0.2.
    ///
    /// # Panics
    ///
    /// When nobody listens, or the machine does not have that address.
    pub async fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(source, 0)).expect("an address of this machine");
        let stream = socket.connect(address).await.expect("a listener accepts");
        stream.set_nodelay(true).expect("a TCP socket takes TCP_NODELAY");
        Self::over(Box::new(stream))
    }

    /// Takes over a socket.
    #[must_use]
    pub fn over(socket: Box<dyn Socket>) -> Self {
        Self { socket, unread: Vec::new() }
    }

    /// Writes bytes. A peer that has closed is no error: tests look at what it answered before.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let written = async {
            self.socket.write_all(bytes.as_ref()).await?;
            self.socket.flush().await
        };
        // A refused request may be answered and reset while it is still being written.
        let _ = within("the peer to take bytes", written).await;
    }

    /// Reads up to and including `end`.
    ///
    /// # Panics
    ///
    /// When the connection ends, or the deadline passes, before it.
    pub async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let found = self.try_read_until(end).await;
        assert!(
            found.is_some(),
            "the connection ended before {:?}, after {:?}",
            String::from_utf8_lossy(end),
            String::from_utf8_lossy(&self.unread)
        );
        found.unwrap_or_default()
    }

    /// Reads up to and including `end`; `None` when the connection ends before.
    pub async fn try_read_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return Some(self.take(at + end.len()));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads this many bytes.
    ///
    /// # Panics
    ///
    /// When the connection ends, or the deadline passes, before.
    pub async fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.fill().await, "the connection ended after {} of {count} bytes", self.unread.len());
        }
        self.take(count)
    }

    /// Reads one head, request or response.
    ///
    /// # Panics
    ///
    /// As [`Raw::read_until`].
    pub async fn read_head(&mut self) -> Head {
        Head::parse(&self.read_until(b"\r\n\r\n").await)
    }

    /// Reads the next head whenever it comes; `None` when the connection ends before.
    pub(crate) async fn next_head(&mut self) -> Option<Head> {
        while !self.unread.windows(4).any(|window| window == b"\r\n\r\n") {
            if self.socket.read_buf(&mut self.unread).await.ok()? == 0 {
                return None;
            }
        }
        Some(self.read_head().await)
    }

    /// Reads the body that a head announces by length or in chunks.
    ///
    /// # Panics
    ///
    /// As [`Raw::read_until`].
    pub async fn read_body(&mut self, head: &Head) -> RawBody {
        if !head.is_chunked() {
            let content = self.read_exactly(head.content_length()).await;
            return RawBody { content, trailers: Vec::new() };
        }
        let mut body = RawBody::default();
        loop {
            let line = String::from_utf8(self.read_until(b"\r\n").await).expect("a chunk size is ASCII");
            let digits = line.trim_end().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16).expect("a chunk size is hexadecimal");
            if size == 0 {
                break;
            }
            body.content.extend(self.read_exactly(size).await);
            assert_eq!(self.read_exactly(2).await, b"\r\n", "a chunk ends with CRLF");
        }
        loop {
            let line = self.read_until(b"\r\n").await;
            if line == b"\r\n" {
                return body;
            }
            body.trailers.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }

    /// Reads until the peer closes or resets, and says what came.
    pub async fn read_to_close(&mut self) -> String {
        while self.fill().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// Reads until the peer ends the connection, for at most this long: where a test asks *whether* it does.
    pub async fn read_to_end(&mut self, patience: Duration) -> (Vec<u8>, End) {
        let reading = async {
            loop {
                match self.socket.read_buf(&mut self.unread).await {
                    Ok(0) => return End::Closed,
                    // TLS without its closing alert says what an end of TCP says.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return End::Closed,
                    Ok(_) => {}
                    Err(_) => return End::Reset,
                }
            }
        };
        let end = tokio::time::timeout(patience, reading).await.unwrap_or(End::Open);
        (std::mem::take(&mut self.unread), end)
    }

    /// Writes while it reads, until the peer ends the connection, for at most this long: a peer that stops to read what
    /// it is flooded with must not stop the flood from seeing why.
    pub async fn flood(&mut self, bytes: &[u8], patience: Duration) -> (Vec<u8>, End) {
        let (mut reading, mut writing) = tokio::io::split(&mut self.socket);
        let unread = &mut self.unread;
        let write = async {
            // The peer may end the connection before it has all.
            if writing.write_all(bytes).await.is_ok() {
                let _ = writing.flush().await;
            }
            std::future::pending().await
        };
        let read = async {
            loop {
                match reading.read_buf(unread).await {
                    Ok(0) => return End::Closed,
                    Ok(_) => {}
                    Err(_) => return End::Reset,
                }
            }
        };
        let flooding = async {
            tokio::select! {
                end = read => end,
                end = write => end,
            }
        };
        let end = tokio::time::timeout(patience, flooding).await.unwrap_or(End::Open);
        (std::mem::take(&mut self.unread), end)
    }

    /// Reads this many bytes and throws them away.
    ///
    /// # Panics
    ///
    /// As [`Raw::read_exactly`].
    pub async fn skip(&mut self, mut count: u64) {
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).expect("a length");
        while length(&self.unread) < count {
            count -= length(&self.unread);
            self.unread.clear();
            assert!(self.fill().await, "the connection ended {count} bytes too early");
        }
        self.unread.drain(..usize::try_from(count).expect("a length"));
    }

    /// Reads this many bytes; `None` when the connection ends before.
    pub(crate) async fn try_read_exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.take(count))
    }

    /// Ends the writing half: the peer reads the end of the stream.
    pub async fn finish(&mut self) {
        // The peer may have closed first.
        let _ = self.socket.shutdown().await;
    }

    /// Ends the connection at once, with a reset on TCP.
    pub fn reset(self) {
        self.socket.reset();
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Reads once more; false at the end of the connection, orderly or not.
    async fn fill(&mut self) -> bool {
        let read = self.socket.read_buf(&mut self.unread);
        let what = "bytes or the end of the connection";
        within(what, read).await.is_ok_and(|count| count > 0)
    }
}

/// Sends `bytes` on a connection of its own and says all that came back until the peer closed.
pub async fn talk(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(address).await;
    raw.send(bytes).await;
    raw.read_to_close().await
}
