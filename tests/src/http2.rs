//! An HTTP/2 client made of single frames: it says exactly what a script tells it to and nothing else, except that it
//! acknowledges settings.

use crate::client::Client;
use crate::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEAD_BYTES, HEADERS, RST_STREAM, SETTINGS,
};
use crate::hpack;
use crate::raw::Raw;

/// What every client says first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The setting of RFC 9113 section 6.5.2.
const HEADER_TABLE_SIZE: u16 = 1;

/// A connection whose frames are written and read one by one.
pub struct Http2(Raw);

/// How a stream, or the connection under it, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The peer sent `END_STREAM`.
    Whole,
    /// The peer reset the stream, with this code.
    Reset(u32),
    /// The peer said that the connection ends, with this code.
    GoAway(u32),
    /// The connection ended without a word.
    Closed,
}

/// An answer as far as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAnswer {
    /// Its status; `None` when there was no head.
    pub status: Option<u16>,
    /// What came of its body.
    pub body: Vec<u8>,
    /// How it ended.
    pub ending: Ending,
}

impl Http2 {
    /// Opens a connection and exchanges settings, so that what follows meets a server at rest.
    ///
    /// # Panics
    ///
    /// When the server does not speak HTTP/2.
    pub async fn open(client: &Client) -> Self {
        Self::open_with(client, &[]).await
    }

    /// As [`Http2::open`], with these settings of the client.
    ///
    /// # Panics
    ///
    /// As [`Http2::open`].
    pub async fn open_with(client: &Client, settings: &[(u16, u32)]) -> Self {
        let mut connection = Self::bare(client).await;
        // No table for the server's fields: `hpack::status` has none either.
        let settings = [&[(HEADER_TABLE_SIZE, 0)], settings].concat();
        connection.send_bytes([PREFACE, &Frame::settings(&settings).bytes()].concat()).await;
        loop {
            let frame = connection.next().await.expect("a server that speaks HTTP/2");
            if frame.is(SETTINGS, ACK) {
                return connection;
            }
        }
    }

    /// Opens a connection on which nothing has been said yet.
    pub async fn bare(client: &Client) -> Self {
        Self(client.clone().http2().raw().await)
    }

    /// Writes a frame.
    pub async fn send(&mut self, frame: Frame) {
        self.send_bytes(frame.bytes()).await;
    }

    /// Writes bytes.
    pub async fn send_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.send(bytes).await;
    }

    /// Writes a GET as one frame that ends its stream.
    pub async fn get(&mut self, stream: u32, path: &str) {
        self.send(Frame::headers(stream, hpack::request("GET", path, &[])).end()).await;
    }

    /// The next frame; `None` at the end of the connection. The peer's settings are acknowledged on the way.
    pub async fn next(&mut self) -> Option<Frame> {
        let head = self.0.try_read_exactly(HEAD_BYTES).await?;
        let (length, kind, flags, stream) = Frame::parse_head(&head);
        let frame = Frame { kind, flags, stream, payload: self.0.try_read_exactly(length).await? };
        if frame.kind == SETTINGS && !frame.is(SETTINGS, ACK) {
            self.send(Frame::new(SETTINGS, ACK, 0, [])).await;
        }
        Some(frame)
    }

    /// Reads until the answer on this stream has ended in one way or another. Window is not given back.
    pub async fn answer(&mut self, stream: u32) -> StreamAnswer {
        self.answer_noting(stream, |_| {}).await
    }

    /// As [`Http2::answer`]; `note` is told after each frame how far the answer has come.
    pub async fn answer_noting(&mut self, stream: u32, mut note: impl FnMut(&StreamAnswer)) -> StreamAnswer {
        let mut answer = StreamAnswer { status: None, body: Vec::new(), ending: Ending::Closed };
        let mut block = Vec::new();
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY && frame.number_at(4) != 0 {
                answer.ending = Ending::GoAway(frame.number_at(4));
                return answer;
            }
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS | CONTINUATION => {
                    block.extend(&frame.payload);
                    if frame.flags & END_HEADERS != 0 {
                        let block = std::mem::take(&mut block);
                        // Trailers have no status.
                        let interim = answer.status.is_none_or(|status| status < 200);
                        answer.status = if interim { Some(hpack::status(&block)) } else { answer.status };
                    }
                }
                DATA => answer.body.extend(&frame.payload),
                RST_STREAM => {
                    answer.ending = Ending::Reset(frame.number_at(0));
                    return answer;
                }
                _ => {}
            }
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                answer.ending = Ending::Whole;
                return answer;
            }
            note(&answer);
        }
        answer
    }

    /// The connection as bytes.
    #[must_use]
    pub fn into_raw(self) -> Raw {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{Edge, forwarding_from_both};
    use crate::exchange::ok;
    use crate::origin::Origin;

    #[tokio::test]
    async fn frames_by_hand_are_a_client() {
        let origin = Origin::start().await.always(ok("hello"));
        let edge = Edge::start(&forwarding_from_both(&origin.endpoint())).await;
        let mut connection = Http2::open(&edge.https()).await;
        connection.get(1, "/by-hand").await;
        let expected = StreamAnswer { status: Some(200), body: b"hello".to_vec(), ending: Ending::Whole };
        assert_eq!(connection.answer(1).await, expected);
        assert_eq!(origin.last().head.target(), "/by-hand");
    }
}
