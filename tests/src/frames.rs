//! HTTP/2 frame by frame (RFC 9113 section 4.1): a server's end of a connection that says exactly what a test wants.

use crate::deadline::within;
use crate::raw::Raw;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// What every client begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The field block of a response with status 200 and nothing else: one entry of HPACK's static table.
const STATUS_200: &[u8] = &[0x88];

/// Types of frames (RFC 9113 section 6).
pub mod kind {
    /// DATA
    pub const DATA: u8 = 0;
    /// HEADERS
    pub const HEADERS: u8 = 1;
    /// RST_STREAM
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS
    pub const SETTINGS: u8 = 4;
    /// GOAWAY
    pub const GOAWAY: u8 = 7;
}

/// END_STREAM on HEADERS and DATA, ACK on SETTINGS.
pub const END_STREAM: u8 = 1;
/// END_HEADERS on HEADERS.
pub const END_HEADERS: u8 = 4;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// The stream that it belongs to, 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// A listening HTTP/2 server that does nothing by itself.
pub struct FrameServer(TcpListener);

/// One connection to it.
pub struct Frames(Raw);

impl FrameServer {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When the machine has none.
    pub async fn start() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port"))
    }

    /// Where it listens.
    ///
    /// # Panics
    ///
    /// Never: it is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound address")
    }

    /// The next connection, after preface and settings of both sides. `settings` are pairs of identifier and value.
    ///
    /// # Panics
    ///
    /// When none comes in time, or it does not speak HTTP/2.
    pub async fn accept(&self, settings: &[(u16, u32)]) -> Frames {
        let (stream, _) = within("a connection", self.0.accept()).await.expect("a connection");
        stream.set_nodelay(true).expect("a TCP socket takes TCP_NODELAY");
        let mut frames = Frames(Raw::over(Box::new(stream)));
        assert_eq!(frames.0.read_exactly(PREFACE.len()).await, PREFACE);
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        frames.send(kind::SETTINGS, 0, 0, &payload).await;
        let theirs = frames.next_of(kind::SETTINGS).await;
        assert_eq!(theirs.flags, 0, "the client's own settings come first");
        frames.send(kind::SETTINGS, 1, 0, &[]).await;
        frames
    }
}

impl Frames {
    /// Writes a frame.
    ///
    /// # Panics
    ///
    /// When it is too long for one.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        self.0.send(bytes).await;
    }

    /// The next frame.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub async fn next(&mut self) -> Frame {
        let head = self.0.read_exactly(9).await;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let payload = self.0.read_exactly(number(&head[..3])).await;
        let stream = u32::try_from(number(&head[5..])).expect("four bytes");
        Frame { kind: head[3], flags: head[4], stream, payload }
    }

    /// The next frame of this type; others are left out.
    pub async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Answers a stream with 200 and this body.
    pub async fn answer(&mut self, stream: u32, body: &str) {
        self.send(kind::HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(kind::DATA, END_STREAM, stream, body.as_bytes()).await;
    }

    /// Says goodbye: streams above `last` are not processed (RFC 9113 section 6.8).
    pub async fn go_away(&mut self, last: u32) {
        self.send(kind::GOAWAY, 0, 0, &[&last.to_be_bytes()[..], &[0; 4]].concat()).await;
    }

    /// Refuses a stream before anything of it was processed (RFC 9113 section 8.7).
    pub async fn refuse(&mut self, stream: u32) {
        self.send(kind::RST_STREAM, 0, stream, &7u32.to_be_bytes()).await;
    }

    /// The bytes under it.
    #[must_use]
    pub fn into_raw(self) -> Raw {
        self.0
    }
}
