//! The states of a stream (RFC 9113 section 5.1) and the numbers of streams (sections 5.1.1 and 5.1.2).

use super::Expected::{Answer, Connection, Nothing, Stream};
use super::{PROTOCOL_ERROR, Row, STREAM_CLOSED, WRONG, get, hold, post, row, start};
use portcullis_tests::edge::{Edge, forwarding_from_both};
use portcullis_tests::frame::{Frame, HEADERS, RST_STREAM, bytes};
use portcullis_tests::hpack;
use portcullis_tests::http2::Http2;
use portcullis_tests::origin::Origin;

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

#[tokio::test]
async fn idle_streams_take_only_headers_and_priority() {
    let table: Vec<Row> = vec![
        row("5.1", "DATA", Frame::data(1, "x").end().bytes(), Connection(&[PROTOCOL_ERROR])),
        row("5.1", "RST_STREAM", Frame::reset(1, CANCEL).bytes(), Connection(&[PROTOCOL_ERROR])),
        row("5.1", "WINDOW_UPDATE", Frame::window_update(1, 1).bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "5.1",
            "DATA on a later stream",
            bytes(&[get(1, "/"), Frame::data(3, "x").end()]),
            Connection(&[PROTOCOL_ERROR]),
        ),
    ];
    hold(table).await;
}

/// The upstream's answer may come between the frames of a script; it changes nothing for what the client may send.
#[tokio::test]
async fn ended_streams_take_no_more() {
    let trailers = || Frame::headers(1, hpack::block(&[("x-sum", "1")])).end();
    let cancelled = |then: Frame| bytes(&[post(1, WRONG), Frame::reset(1, CANCEL), then]);
    let table: Vec<Row> = vec![
        row(
            "5.1",
            "DATA behind END_STREAM",
            bytes(&[get(1, "/"), Frame::data(1, "x").end()]),
            Stream(1, &[STREAM_CLOSED]),
        ),
        row("5.1", "HEADERS behind END_STREAM", bytes(&[get(1, "/"), trailers()]), Stream(1, &[STREAM_CLOSED])),
        row(
            "5.1",
            "DATA behind the DATA that ends",
            bytes(&[post(1, "/"), Frame::data(1, "x").end(), Frame::data(1, "x").end()]),
            Stream(1, &[STREAM_CLOSED]),
        ),
        row("5.1", "DATA behind RST_STREAM", cancelled(Frame::data(1, "x").end()), Stream(1, &[STREAM_CLOSED])),
        row("5.1", "HEADERS behind RST_STREAM", cancelled(get(1, WRONG)), Stream(1, &[STREAM_CLOSED, PROTOCOL_ERROR])),
        row(
            "5.1",
            "CONTINUATION behind RST_STREAM",
            cancelled(Frame::new(9, 4, 1, hpack::block(&[("x-any", "y")]))),
            Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        row("5.1", "WINDOW_UPDATE behind END_STREAM", bytes(&[get(1, "/"), Frame::window_update(1, 1)]), Answer(1)),
        row("5.1", "WINDOW_UPDATE behind RST_STREAM", cancelled(Frame::window_update(1, 1)), Nothing),
        row("5.1", "PRIORITY behind RST_STREAM", cancelled(Frame::new(2, 0, 1, [0, 0, 0, 0, 15])), Nothing),
        row("5.1", "RST_STREAM twice", cancelled(Frame::reset(1, CANCEL)), Nothing),
    ];
    hold(table).await;
}

/// On a stream whose answer is over and read.
#[tokio::test]
async fn closed_streams_take_no_more() {
    let (edge, _origin) = start().await;
    for (name, frame) in [("DATA", Frame::data(1, "x").end()), ("HEADERS", get(1, WRONG))] {
        let mut connection = Http2::open(&edge.https()).await;
        connection.get(1, "/").await;
        assert_eq!(connection.answer(1).await.status, Some(200));
        connection.send_bytes(bytes(&[frame, Frame::ping(super::MARK)])).await;
        let judged = super::judge(&mut connection, Stream(1, &[STREAM_CLOSED, PROTOCOL_ERROR])).await;
        assert_eq!(judged, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn numbers_of_streams_are_odd_and_rise() {
    let table: Vec<Row> = vec![
        row("5.1.1", "an even number", get(2, WRONG).bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "5.1.1",
            "a lower number",
            bytes(&[get(5, "/"), get(3, WRONG)]),
            Connection(&[PROTOCOL_ERROR, STREAM_CLOSED]),
        ),
        row("5.1.1", "a skipped number", get(7, "/").bytes(), Answer(7)),
        row("5.1.1", "the largest number", get((1 << 31) - 1, "/").bytes(), Answer((1 << 31) - 1)),
    ];
    hold(table).await;
}

/// RFC 9113 section 5.1.2: what is beyond the announced number of streams is refused, and may be sent again.
#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let origin = Origin::start().await;
    let config = forwarding_from_both(&origin.endpoint()).replace("tls = true", "tls = true\nstreams_max = 4");
    let edge = Edge::start(&config).await;
    let mut connection = Http2::open(&edge.https()).await;
    let requests: Vec<Frame> = (0..10).map(|number| get(number * 2 + 1, "/held")).collect();
    connection.send_bytes(bytes(&requests)).await;
    let mut refused = Vec::new();
    while refused.len() < 6 {
        let frame = connection.next().await.expect("the connection goes on");
        assert_ne!(frame.kind, HEADERS, "nobody has answered");
        if frame.kind == RST_STREAM {
            assert!([REFUSED_STREAM, PROTOCOL_ERROR].contains(&frame.number_at(0)), "{frame:?}");
            refused.push(frame.stream);
        }
    }
    assert_eq!(refused, [9, 11, 13, 15, 17, 19]);
}
