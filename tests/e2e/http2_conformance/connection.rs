//! Starting a connection, its settings, pings and windows (RFC 9113 sections 3.4, 6.5, 6.7, 6.8 and 6.9).

use super::Expected::{Connection, Nothing, Stream};
use super::{
    Done, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROMPTLY, PROTOCOL_ERROR, Row, get, hold, post, read, row, start,
};
use portcullis_tests::frame::{ACK, DATA, Frame, GOAWAY, PING, SETTINGS, WINDOW_UPDATE, bytes};
use portcullis_tests::http2::{Ending, Http2, PREFACE};

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

const LARGEST_WINDOW: u32 = (1 << 31) - 1;

#[tokio::test]
async fn settings_are_checked() {
    let one = |name: u16, value: u32| Frame::settings(&[(name, value)]).bytes();
    let raw = |flags: u8, stream: u32, payload: &[u8]| Frame::new(SETTINGS, flags, stream, payload).bytes();
    let table: Vec<Row> = vec![
        row("6.5", "ACK with a payload", raw(ACK, 0, &[0, 3, 0, 0, 0, 1]), Connection(&[FRAME_SIZE_ERROR])),
        row("6.5", "on a stream", raw(0, 1, &[0, 3, 0, 0, 0, 100]), Connection(&[PROTOCOL_ERROR])),
        row("6.5", "five bytes", raw(0, 0, &[0, 3, 0, 0, 0]), Connection(&[FRAME_SIZE_ERROR])),
        row("6.5", "seven bytes", raw(0, 0, &[0, 3, 0, 0, 0, 1, 0]), Connection(&[FRAME_SIZE_ERROR])),
        row("6.5.2", "ENABLE_PUSH 2", one(ENABLE_PUSH, 2), Connection(&[PROTOCOL_ERROR])),
        row("6.5.2", "INITIAL_WINDOW_SIZE 2^31", one(INITIAL_WINDOW_SIZE, 1 << 31), Connection(&[FLOW_CONTROL_ERROR])),
        row(
            "6.5.2",
            "INITIAL_WINDOW_SIZE 2^32-1",
            one(INITIAL_WINDOW_SIZE, u32::MAX),
            Connection(&[FLOW_CONTROL_ERROR]),
        ),
        row("6.5.2", "MAX_FRAME_SIZE 16,383", one(MAX_FRAME_SIZE, 16_383), Connection(&[PROTOCOL_ERROR])),
        row("6.5.2", "MAX_FRAME_SIZE 0", one(MAX_FRAME_SIZE, 0), Connection(&[PROTOCOL_ERROR])),
        row("6.5.2", "MAX_FRAME_SIZE 2^24", one(MAX_FRAME_SIZE, 1 << 24), Connection(&[PROTOCOL_ERROR])),
        row("6.5.2", "an unknown setting", one(0xff, 1), Nothing),
        row("6.5.3", "no settings at all", one(HEADER_TABLE_SIZE, 4096), Nothing),
        row(
            "6.5",
            "every setting at its least",
            Frame::settings(&[
                (HEADER_TABLE_SIZE, 0),
                (ENABLE_PUSH, 0),
                (MAX_CONCURRENT_STREAMS, 0),
                (INITIAL_WINDOW_SIZE, 0),
                (MAX_FRAME_SIZE, 16_384),
                (MAX_HEADER_LIST_SIZE, u32::MAX),
            ])
            .bytes(),
            Nothing,
        ),
        row("6.5", "an empty one", Frame::settings(&[]).bytes(), Nothing),
        row(
            "6.5.3",
            "two of the same, the last counts",
            Frame::settings(&[(INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 100)]).bytes(),
            Nothing,
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn pings_and_goaways_are_checked() {
    let table: Vec<Row> = vec![
        row("6.7", "PING on a stream", Frame::new(PING, 0, 1, [0; 8]).bytes(), Connection(&[PROTOCOL_ERROR])),
        row("6.7", "PING of six bytes", Frame::new(PING, 0, 0, [0; 6]).bytes(), Connection(&[FRAME_SIZE_ERROR])),
        row("6.7", "PING of nine bytes", Frame::new(PING, 0, 0, [0; 9]).bytes(), Connection(&[FRAME_SIZE_ERROR])),
        row("6.7", "PING without a payload", Frame::new(PING, 0, 0, []).bytes(), Connection(&[FRAME_SIZE_ERROR])),
        row("6.7", "an answer to no PING", Frame::ping(b"12345678").with(ACK).bytes(), Nothing),
        row("6.7", "PING with unknown flags", Frame::ping(b"12345678").with(0x16).bytes(), Nothing),
        row("6.8", "GOAWAY on a stream", Frame::new(GOAWAY, 0, 1, [0; 8]).bytes(), Connection(&[PROTOCOL_ERROR])),
        row("6.8", "GOAWAY of seven bytes", Frame::new(GOAWAY, 0, 0, [0; 7]).bytes(), Connection(&[FRAME_SIZE_ERROR])),
    ];
    hold(table).await;
}

/// RFC 9113 section 6.7: the same eight bytes come back, and an answer is not answered.
#[tokio::test]
async fn a_ping_is_answered_with_its_bytes() {
    let (edge, _origin) = start().await;
    let mut connection = Http2::open(&edge.https()).await;
    connection.send_bytes(bytes(&[Frame::ping(b"answered").with(ACK), Frame::ping(b"a ping!!")])).await;
    let pong = loop {
        let frame = connection.next().await.expect("a ping is answered");
        if frame.kind == PING {
            break frame;
        }
    };
    assert_eq!((pong.flags, pong.stream, pong.payload.as_slice()), (ACK, 0, b"a ping!!".as_slice()));
}

#[tokio::test]
async fn windows_are_checked() {
    let initial = |size: u32| Frame::settings(&[(INITIAL_WINDOW_SIZE, size)]);
    let update = |stream: u32, payload: &[u8]| Frame::new(WINDOW_UPDATE, 0, stream, payload);
    let table: Vec<Row> = vec![
        row("6.9", "an increment of 0", Frame::window_update(0, 0).bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.9",
            "an increment of 0 with the reserved bit",
            Frame::window_update(0, 1 << 31).bytes(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row(
            "6.9",
            "an increment of 0 on a stream",
            bytes(&[post(1, "/wrong"), Frame::window_update(1, 0)]),
            Stream(1, &[PROTOCOL_ERROR]),
        ),
        row("6.9", "three bytes", update(0, &[0, 0, 1]).bytes(), Connection(&[FRAME_SIZE_ERROR])),
        row("6.9", "five bytes", update(0, &[0, 0, 0, 0, 1]).bytes(), Connection(&[FRAME_SIZE_ERROR])),
        row(
            "6.9.1",
            "beyond 2^31-1",
            bytes(&[Frame::window_update(0, LARGEST_WINDOW), Frame::window_update(0, LARGEST_WINDOW)]),
            Connection(&[FLOW_CONTROL_ERROR]),
        ),
        row(
            "6.9.1",
            "beyond 2^31-1 on a stream",
            bytes(&[post(1, "/wrong"), Frame::window_update(1, LARGEST_WINDOW)]),
            Stream(1, &[FLOW_CONTROL_ERROR]),
        ),
        row(
            "6.9.2",
            "beyond 2^31-1 by a setting",
            bytes(&[initial(1), post(1, "/wrong"), Frame::window_update(1, LARGEST_WINDOW - 1), initial(100)]),
            Connection(&[FLOW_CONTROL_ERROR]),
        ),
        row("5.1", "on an idle stream", Frame::window_update(1, 100).bytes(), Connection(&[PROTOCOL_ERROR])),
        row("6.9", "up to 2^31-1", Frame::window_update(0, LARGEST_WINDOW - 65_535).bytes(), Nothing),
    ];
    hold(table).await;
}

/// RFC 9113 section 6.9.2: the setting moves the windows of open streams, below zero too.
#[tokio::test]
async fn an_answer_waits_for_its_window() {
    let (edge, _origin) = start().await;
    let mut connection = Http2::open_with(&edge.https(), &[(INITIAL_WINDOW_SIZE, 1)]).await;
    connection.get(1, "/").await;
    let first = loop {
        let frame = connection.next().await.expect("an answer");
        if frame.kind == DATA {
            break frame;
        }
    };
    assert_eq!(first.payload, b"o", "a window of one byte");
    // -1 now; an update of 2 leaves one byte.
    connection.send_bytes(bytes(&[Frame::settings(&[(INITIAL_WINDOW_SIZE, 0)]), Frame::window_update(1, 2)])).await;
    let rest = connection.answer(1).await;
    assert_eq!((rest.body.as_slice(), rest.ending), (b"k".as_slice(), Ending::Whole));
}

/// RFC 9113 section 3.4: a server may close without GOAWAY, because who says this may speak another protocol.
#[tokio::test]
async fn a_bad_preface_ends_the_connection() {
    let (edge, origin) = start().await;
    let settings = Frame::settings(&[]).bytes();
    for (name, said) in [
        ("another protocol", b"GET /wrong HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        (
            "a wrong ending",
            [b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".as_slice(), &settings, &get(1, "/wrong").bytes()].concat(),
        ),
    ] {
        let mut connection = Http2::bare(&edge.https()).await;
        connection.send_bytes(said).await;
        let done = read(&mut connection, |done| matches!(done, Done::GoAway(_))).await;
        assert!(matches!(done, Done::Closed | Done::GoAway(PROTOCOL_ERROR)), "{name}: {done:?}");
        let raw = connection.into_raw().read_to_end(PROMPTLY).await;
        assert_ne!(raw.1, portcullis_tests::raw::End::Open, "{name}");
    }
    assert!(origin.received().is_empty());
}

/// RFC 9113 section 3.4: the server's first frame is its settings, which name the limits that it holds.
#[tokio::test]
async fn the_server_starts_with_its_settings() {
    let (edge, _origin) = start().await;
    let mut connection = Http2::bare(&edge.https()).await;
    connection.send_bytes([PREFACE, &Frame::settings(&[]).bytes()].concat()).await;
    let first = connection.next().await.expect("a first frame");
    assert_eq!((first.kind, first.flags, first.stream), (SETTINGS, 0, 0));
    let named: Vec<(u16, u32)> = first
        .payload
        .chunks_exact(6)
        .map(|pair| (u16::from_be_bytes([pair[0], pair[1]]), u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]])))
        .collect();
    assert!(named.contains(&(MAX_CONCURRENT_STREAMS, 128)), "{named:?}");
    assert!(named.iter().any(|(name, _)| *name == MAX_HEADER_LIST_SIZE), "{named:?}");
}
