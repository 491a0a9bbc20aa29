//! What a server has to take: every frame in every state that it may stand in, and every way of writing a field
//! (RFC 9113 sections 5.1, 6, 7 and 8, RFC 7541 section 6).

use super::Expected::{Answer, Nothing};
use super::{Done, Row, get, hold, post, read, row, start};
use portcullis_tests::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, Frame, GOAWAY, PADDED, PRIORITY, SETTINGS, WITH_PRIORITY, bytes,
};
use portcullis_tests::hpack;
use portcullis_tests::http2::{Ending, Http2};

const INITIAL_WINDOW_SIZE: u16 = 4;
const CANCEL: u32 = 8;
/// No error, and one that no standard names.
const REASONS: [u32; 2] = [0, 0xff];

#[tokio::test]
async fn frames_that_may_stand_there_are_taken() {
    let priority = |stream: u32, payload: [u8; 5]| Frame::new(PRIORITY, 0, stream, payload);
    let with_priority = |payload: [u8; 5]| {
        let block = [&payload[..], &hpack::request("GET", "/", &[])].concat();
        Frame::headers(3, block).with(WITH_PRIORITY).end()
    };
    let table: Vec<Row> = vec![
        row("5.1", "PRIORITY on an idle stream", bytes(&[priority(1, [0, 0, 0, 0, 0]), get(1, "/")]), Answer(1)),
        row("5.1", "PRIORITY on a half-closed stream", bytes(&[get(1, "/"), priority(1, [0; 5])]), Answer(1)),
        row("5.1", "RST_STREAM on a half-closed stream", bytes(&[get(1, "/"), Frame::reset(1, CANCEL)]), Nothing),
        row(
            "5.1",
            "WINDOW_UPDATE on an open stream",
            bytes(&[post(1, "/"), Frame::window_update(1, 1), Frame::data(1, "x").end()]),
            Answer(1),
        ),
        row("6.1", "several DATA", bytes(&[post(1, "/"), Frame::data(1, "x"), Frame::data(1, "y").end()]), Answer(1)),
        row("6.1", "an empty DATA at the end", bytes(&[post(1, "/"), Frame::data(1, "").end()]), Answer(1)),
        row(
            "6.1",
            "DATA with 255 bytes of padding",
            bytes(&[post(1, "/"), Frame::new(DATA, PADDED, 1, [&[255, b'x'][..], &[0; 255]].concat()).end()]),
            Answer(1),
        ),
        row("6.2", "the least weight", with_priority([0, 0, 0, 0, 0]).bytes(), Answer(3)),
        row("6.2", "the largest weight", with_priority([0, 0, 0, 0, 255]).bytes(), Answer(3)),
        row("6.2", "behind another stream", bytes(&[get(1, "/"), with_priority([0, 0, 0, 1, 15])]), Answer(3)),
        row("6.2", "alone behind another", bytes(&[get(1, "/"), with_priority([0x80, 0, 0, 1, 15])]), Answer(3)),
        row(
            "6.3",
            "PRIORITY behind another stream",
            bytes(&[get(1, "/"), priority(3, [0x80, 0, 0, 1, 255])]),
            Answer(1),
        ),
        row(
            "6.10",
            "a request in two frames",
            bytes(&[
                Frame::headers(1, hpack::request("GET", "/", &[])).without(END_HEADERS).end(),
                Frame::new(CONTINUATION, END_HEADERS, 1, hpack::block(&[("x-any", "y")])),
            ]),
            Answer(1),
        ),
        row("7", "RST_STREAM with an unknown code", bytes(&[get(1, "/"), Frame::reset(1, 0xff)]), Nothing),
        row("8.1", "a HEAD", Frame::headers(1, hpack::request("HEAD", "/", &[])).end().bytes(), Answer(1)),
        row(
            "8.1",
            "an OPTIONS of all",
            Frame::headers(1, hpack::request("OPTIONS", "*", &[])).end().bytes(),
            Answer(1),
        ),
        row(
            "8.1",
            "a POST with trailers and no body",
            bytes(&[post(1, "/"), Frame::headers(1, hpack::block(&[("x-sum", "1")])).end()]),
            Answer(1),
        ),
        row(
            "8.2.3",
            "cookies in crumbs",
            Frame::headers(1, hpack::request("GET", "/", &[("cookie", "a=1"), ("cookie", "b=2")])).end().bytes(),
            Answer(1),
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn fields_are_read_in_every_form() {
    let value = |marks: &[u8]| [marks, b"\x01y"].concat();
    let named = |mark: u8| [&[mark], &hpack::literal("x-any", "y")[1..]].concat();
    let with = |field: &[u8]| Frame::headers(1, [&hpack::request("GET", "/", &[])[..], field].concat()).end().bytes();
    // The user agent is number 58 of the static table.
    let mut table: Vec<Row> = vec![
        row(
            "6.1 of RFC 7541",
            "an index of the dynamic table",
            with(&[&named(0x40)[..], &[0x80 | 62]].concat()),
            Answer(1),
        ),
        row("6.2.1 of RFC 7541", "entered, with a known name", with(&value(&[0x40 | 58])), Answer(1)),
        row("6.2.1 of RFC 7541", "entered, with a new name", with(&named(0x40)), Answer(1)),
        row("6.2.2 of RFC 7541", "not entered, with a known name", with(&value(&[0x0f, 43])), Answer(1)),
        row("6.2.2 of RFC 7541", "not entered, with a new name", with(&named(0)), Answer(1)),
        row("6.2.3 of RFC 7541", "never entered, with a known name", with(&value(&[0x1f, 43])), Answer(1)),
        row("6.2.3 of RFC 7541", "never entered, with a new name", with(&named(0x10)), Answer(1)),
    ];
    let emptied = [&[0x20], &hpack::request("GET", "/", &[])[..], &named(0x40)].concat();
    table.push(row("6.3 of RFC 7541", "a table of no size", Frame::headers(1, emptied).end().bytes(), Answer(1)));
    // Three requests with Huffman codes and a table that grows, as the standard shows them.
    let shown = [
        &b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..],
        b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf",
        b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
    ];
    let frames: Vec<Frame> =
        [1, 3, 5].into_iter().zip(shown).map(|(at, block)| Frame::headers(at, block).end()).collect();
    table.push(row("C.4 of RFC 7541", "the examples of the standard", bytes(&frames), Answer(5)));
    hold(table).await;
}

/// On a stream whose answer is over and read, for a while what had been on its way may still come.
#[tokio::test]
async fn closed_streams_take_what_was_on_its_way() {
    let (edge, _origin) = start().await;
    for (name, frame) in [
        ("PRIORITY", Frame::new(PRIORITY, 0, 1, [0; 5])),
        ("WINDOW_UPDATE", Frame::window_update(1, 1)),
        ("RST_STREAM", Frame::reset(1, CANCEL)),
    ] {
        let mut connection = Http2::open(&edge.https()).await;
        connection.get(1, "/").await;
        assert_eq!(connection.answer(1).await.status, Some(200));
        connection.send_bytes(bytes(&[frame, Frame::ping(super::MARK)])).await;
        assert_eq!(super::judge(&mut connection, Nothing).await, Ok(()), "{name}");
        connection.get(3, "/").await;
        assert_eq!(connection.answer(3).await.ending, Ending::Whole, "{name}");
    }
}

/// RFC 9113 section 6.8: who says that it leaves is not refused for it, whatever its reason (section 7).
#[tokio::test]
async fn a_client_may_say_that_it_leaves() {
    let (edge, _origin) = start().await;
    for reason in REASONS {
        let mut connection = Http2::open(&edge.https()).await;
        let leaving = Frame::new(GOAWAY, 0, 0, [&[0; 4], &reason.to_be_bytes()[..], b"why"].concat());
        connection.send_bytes(bytes(&[leaving, Frame::ping(super::MARK)])).await;
        let done = read(&mut connection, |done| *done == Done::Pong).await;
        assert!(matches!(done, Done::Pong | Done::Closed | Done::GoAway(0)), "{reason}: {done:?}");
    }
}

/// RFC 9113 section 6.5.3: settings are taken in their order, and each frame of them is acknowledged.
#[tokio::test]
async fn settings_are_acknowledged_and_the_last_of_two_counts() {
    let (edge, _origin) = start().await;
    let mut connection = Http2::open(&edge.https()).await;
    let settings = Frame::settings(&[(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]);
    connection.send_bytes(bytes(&[settings, get(1, "/")])).await;
    let mut acknowledged = false;
    let first = loop {
        let frame = connection.next().await.expect("an answer");
        acknowledged |= frame.is(SETTINGS, ACK);
        if frame.kind == DATA {
            break frame;
        }
    };
    assert!(acknowledged);
    assert_eq!(first.payload, b"o", "a window of one byte");
}
