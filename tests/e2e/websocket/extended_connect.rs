//! WebSocket for clients of HTTP/2 (RFC 8441) before an endpoint that speaks HTTP/1.1.

use super::{numbered, switched};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_from_both};
use portcullis_tests::exchange::Exchange;
use portcullis_tests::frame::{
    ACK, DATA, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use portcullis_tests::hpack;
use portcullis_tests::http2::{Http2, PREFACE};
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The settings of RFC 9113 section 6.5.2 and RFC 8441 section 3.
const INITIAL_WINDOW_SIZE: u32 = 4;
const ENABLE_CONNECT_PROTOCOL: u32 = 8;

/// The window that a client has opened when it has said nothing about it (RFC 9113 section 6.9.2).
const WINDOW_BYTES: usize = 65_535;
const FRAME_BYTES: usize = 16_384;
const SEVERAL_MIB: usize = 4 << 20;

/// One stream of a connection, and what has come on it. Window is given only when the test says so.
pub(super) struct Stream {
    http2: Http2,
    stream_window: i64,
    connection_window: i64,
    connect_protocol: bool,
    status: Option<u16>,
    received: Vec<u8>,
    ended: bool,
    pongs: usize,
}

impl Stream {
    /// Opens a connection, and waits for what the server says of itself.
    pub(super) async fn open(edge: &Edge) -> Self {
        let mut stream = Self {
            http2: Http2::bare(&edge.https()).await,
            stream_window: 65_535,
            connection_window: 65_535,
            connect_protocol: false,
            status: None,
            received: Vec::new(),
            ended: false,
            pongs: 0,
        };
        stream.http2.send_bytes([PREFACE, &Frame::settings(&[(1, 0)]).bytes()].concat()).await;
        stream.ping().await;
        assert!(stream.connect_protocol, "the server announces extended CONNECT (RFC 8441 section 3)");
        stream
    }

    /// Asks for a WebSocket at this path.
    pub(super) async fn connect(&mut self, protocol: &str, path: &str, fields: &[(&str, &str)]) {
        let line = [
            (":method", "CONNECT"),
            (":protocol", protocol),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
        ];
        self.http2.send(Frame::headers(1, [hpack::block(&line), hpack::block(fields)].concat())).await;
    }

    /// Reads one frame.
    async fn step(&mut self) {
        let frame = self.http2.next().await.expect("the connection goes on");
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => {
                for pair in frame.payload.chunks(6) {
                    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
                    let (name, value) = (number(&pair[..2]), number(&pair[2..]));
                    self.connect_protocol |= (name, value) == (ENABLE_CONNECT_PROTOCOL, 1);
                    if name == INITIAL_WINDOW_SIZE {
                        self.stream_window = i64::from(value);
                    }
                }
            }
            WINDOW_UPDATE if frame.stream == 0 => self.connection_window += i64::from(frame.number_at(0)),
            WINDOW_UPDATE if frame.stream == 1 => self.stream_window += i64::from(frame.number_at(0)),
            PING if frame.flags & ACK != 0 => self.pongs += 1,
            HEADERS if frame.stream == 1 => self.status = Some(hpack::status(&frame.payload)),
            DATA if frame.stream == 1 => self.received.extend(&frame.payload),
            // An answer may be whole before the client is, who is then told to stop (RFC 9113 section 8.1).
            RST_STREAM => assert!(self.ended && frame.number_at(0) == 0, "{frame:?}"),
            GOAWAY => unreachable!("{frame:?}"),
            _ => {}
        }
        self.ended |= frame.stream == 1 && matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
    }

    /// Waits until the server has seen all that was sent, and all that it sent before has come.
    async fn ping(&mut self) {
        let before = self.pongs;
        self.http2.send(Frame::ping(b"and now?")).await;
        while self.pongs == before {
            self.step().await;
        }
    }

    pub(super) async fn status(&mut self) -> u16 {
        loop {
            if let Some(status) = self.status {
                return status;
            }
            self.step().await;
        }
    }

    /// Sends as the windows allow; `stuck` is called when they are shut.
    async fn send(&mut self, mut bytes: &[u8], mut stuck: impl FnMut()) {
        while !bytes.is_empty() {
            let window = usize::try_from(self.stream_window.min(self.connection_window)).unwrap_or(0);
            let (now, later) = bytes.split_at(bytes.len().min(window).min(FRAME_BYTES));
            if now.is_empty() {
                stuck();
                self.step().await;
                continue;
            }
            self.http2.send(Frame::data(1, now)).await;
            let sent = i64::try_from(now.len()).expect("a length");
            self.stream_window -= sent;
            self.connection_window -= sent;
            bytes = later;
        }
    }

    async fn finish(&mut self) {
        self.http2.send(Frame::data(1, []).end()).await;
    }

    /// Reads until so much has come in all.
    async fn receive(&mut self, count: usize) -> &[u8] {
        while self.received.len() < count {
            assert!(!self.ended, "the stream ended after {} of {count} bytes", self.received.len());
            self.step().await;
        }
        &self.received
    }

    async fn end(&mut self) -> &[u8] {
        while !self.ended {
            self.step().await;
        }
        &self.received
    }

    /// Opens both windows by so much.
    async fn give(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).expect("a window");
        self.http2.send(Frame::window_update(0, bytes)).await;
        self.http2.send(Frame::window_update(1, bytes)).await;
    }
}

async fn start() -> (Edge, Origin) {
    let origin = Origin::start().await;
    (Edge::start(&forwarding_from_both(&origin.endpoint())).await, origin)
}

pub(super) fn key(exchange: &Exchange) -> String {
    exchange.head().field("sec-websocket-key").expect("a key").to_owned()
}

/// A client and an endpoint with a tunnel between them.
async fn tunnel(edge: &Edge, origin: &mut Origin, path: &str) -> (Stream, Raw) {
    let mut client = Stream::open(edge).await;
    client.connect("websocket", path, &[("sec-websocket-version", "13")]).await;
    let mut exchange = origin.exchange().await;
    let key = key(&exchange);
    exchange.send(switched(&key)).await;
    assert_eq!(client.status().await, 200);
    (client, exchange.into_raw())
}

#[tokio::test]
async fn the_handshake_is_translated() {
    let (edge, mut origin) = start().await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut client = Stream::open(&edge).await;
        let fields = [
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat, superchat"),
            ("origin", "https://localhost"),
            ("sec-websocket-key", "a key that RFC 8441 knows nothing of"),
        ];
        client.connect("websocket", "/chat?room=1", &fields).await;
        let mut exchange = origin.exchange().await;
        let head = exchange.head();
        assert_eq!(head.start_line, "GET /chat?room=1 HTTP/1.1", "{}", head.raw);
        assert_eq!(head.all("upgrade").collect::<Vec<_>>(), ["websocket"], "{}", head.raw);
        assert!(head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")), "{}", head.raw);
        assert_eq!(head.all("sec-websocket-version").collect::<Vec<_>>(), ["13"], "{}", head.raw);
        assert_eq!(head.all("sec-websocket-key").count(), 1, "{}", head.raw);
        assert_eq!(head.field("sec-websocket-protocol"), Some("chat, superchat"));
        assert_eq!((head.field("origin"), head.field("host")), (Some("https://localhost"), Some("localhost")));
        assert!(!head.has("content-length") && !head.has("transfer-encoding"), "{}", head.raw);
        assert!(!head.raw.contains(":protocol"), "{}", head.raw);
        let key = key(&exchange);
        assert_eq!(STANDARD.decode(&key).expect("base64").len(), 16, "{key}");
        exchange.send(switched(&key)).await;
        assert_eq!(client.status().await, 200);
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1], "each handshake has a key of its own");
}

#[tokio::test]
async fn bytes_pass_both_ways_and_either_side_may_end_first() {
    let (edge, mut origin) = start().await;
    for client_first in [true, false] {
        let path = if client_first { "/client-first" } else { "/server-first" };
        let (mut client, mut server) = tunnel(&edge, &mut origin, path).await;
        client.send(b"\x81\x00\xff\n", || {}).await;
        assert_eq!(server.read_exactly(4).await, b"\x81\x00\xff\n");
        server.send("pong").await;
        assert_eq!(client.receive(4).await, b"pong");
        if client_first {
            client.finish().await;
            assert_eq!(server.read_to_close().await, "");
            server.send("still here").await;
            assert_eq!(client.receive(14).await, b"pongstill here");
            server.finish().await;
            assert_eq!(client.end().await, b"pongstill here");
        } else {
            server.send("bye").await;
            server.finish().await;
            assert_eq!(client.end().await, b"pongbye");
            assert_eq!(server.read_to_close().await, "", "a tunnel whose endpoint has ended is over");
        }
        let line = edge.log().line_with(path).await;
        let sent = if client_first { 14 } else { 7 };
        let fields = ["protocol", "method", "status", "bytes_received", "bytes_sent", "upstream"];
        let found = fields.map(|field| &line[field]);
        let expected = [json!("HTTP/2"), json!("CONNECT"), json!(200), json!(4), json!(sent), json!("app")];
        assert_eq!(found, expected.each_ref(), "{line}");
    }
}

#[tokio::test]
async fn several_mebibytes_pass_to_an_endpoint_that_reads_slowly() {
    let (edge, mut origin) = start().await;
    let (mut client, mut server) = tunnel(&edge, &mut origin, "/up").await;
    let bytes = numbered(SEVERAL_MIB);
    let (stuck, is_stuck) = oneshot::channel();
    let mut stuck = Some(stuck);
    let mut tell = || {
        if let Some(stuck) = stuck.take() {
            stuck.send(()).expect("the reader waits");
        }
    };
    let sending = async {
        client.send(&bytes, &mut tell).await;
        // Where the kernel holds all of it there was nothing to wait for.
        tell();
        client.finish().await;
    };
    let reading = async {
        is_stuck.await.expect("the client goes on");
        let mut received = Vec::new();
        while received.len() < SEVERAL_MIB {
            received.extend(server.read_exactly(1024).await);
            tokio::task::yield_now().await;
        }
        assert_eq!(server.read_to_close().await, "");
        received
    };
    let (received, ()) = within("several MiB", async { tokio::join!(reading, sending) }).await;
    assert!(received == bytes, "what arrived is not what was sent");
}

#[tokio::test]
async fn several_mebibytes_pass_to_a_client_that_reads_slowly() {
    let (edge, mut origin) = start().await;
    let (mut client, mut server) = tunnel(&edge, &mut origin, "/down").await;
    let bytes = numbered(SEVERAL_MIB);
    let sending = async {
        server.send(&bytes).await;
        server.finish().await;
    };
    let reading = async {
        client.receive(WINDOW_BYTES).await;
        client.ping().await;
        assert_eq!(client.received.len(), WINDOW_BYTES, "no more than there is window");
        while client.received.len() < SEVERAL_MIB {
            let given = 40_000.min(SEVERAL_MIB - client.received.len());
            let before = client.received.len();
            client.give(given).await;
            assert_eq!(client.receive(before + given).await.len(), before + given);
        }
        client.end().await.to_vec()
    };
    let ((), received) = within("several MiB", async { tokio::join!(sending, reading) }).await;
    assert!(received == bytes, "what arrived is not what was sent");
}

#[tokio::test]
async fn an_endpoint_may_decline() {
    let (edge, mut origin) = start().await;
    let mut client = Stream::open(&edge).await;
    client.connect("websocket", "/chat", &[("sec-websocket-version", "13")]).await;
    origin.exchange().await.reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    assert_eq!((client.status().await, client.end().await), (403, b"no".as_slice()));
    client.http2.get(3, "/next").await;
    let (answer, ()) = tokio::join!(client.http2.answer(3), async { origin.exchange().await.reply_text("ok").await });
    assert_eq!((answer.status, answer.body), (Some(200), b"ok".to_vec()), "the connection still speaks HTTP");
}

/// The client has asked for no proof, so the edge checks it (RFC 8441 section 5).
#[tokio::test]
async fn an_answer_that_is_no_switch_is_an_error_of_the_upstream() {
    let (edge, mut origin) = start().await;
    let yes = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade:";
    for answer in [
        switched("dGhlIHNhbXBsZSBub25jZQ=="),
        format!("{yes} websocket\r\n\r\n"),
        format!("{yes} h2c\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
    ] {
        let mut client = Stream::open(&edge).await;
        client.connect("websocket", "/chat", &[("sec-websocket-version", "13")]).await;
        let mut exchange = origin.exchange().await;
        exchange.send(&answer).await;
        assert_eq!(client.status().await, 502, "{answer}");
        let problem: Value = serde_json::from_slice(client.end().await).expect("a problem");
        assert_eq!(problem["code"], "upstream_malformed", "{answer}");
        client.http2.into_raw().reset();
    }
}

#[tokio::test]
async fn no_other_protocol_gets_a_tunnel() {
    let (edge, mut origin) = start().await;
    for protocol in ["connect-udp", "h2c", "WebSocket "] {
        let mut client = Stream::open(&edge).await;
        client.connect(protocol, "/chat", &[]).await;
        assert_eq!(client.status().await, 405, "{protocol}");
        let problem: Value = serde_json::from_slice(client.end().await).expect("a problem");
        assert_eq!(problem["code"], "connect_unsupported", "{protocol}");
    }
    assert!(origin.is_quiet());
}
