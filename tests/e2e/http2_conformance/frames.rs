//! Frames that stand where they must not, or have a length that they must not have (RFC 9113 sections 4 and 6).

use super::Expected::{Answer, Connection, Nothing, Stream};
use super::{FRAME_SIZE_ERROR, PROTOCOL_ERROR, Row, WRONG, get, hold, post, row};
use portcullis_tests::frame::{
    CONTINUATION, DATA, END_HEADERS, Frame, HEADERS, PADDED, PRIORITY, PUSH_PROMISE, RST_STREAM, WITH_PRIORITY, bytes,
};
use portcullis_tests::hpack;

/// A type that nobody has given a meaning.
const UNKNOWN: u8 = 0xfa;

#[tokio::test]
async fn unknown_things_are_ignored() {
    let reserved = |mut bytes: Vec<u8>| {
        bytes[5] |= 0x80;
        bytes
    };
    let table: Vec<Row> = vec![
        row("4.1", "an unknown type", Frame::new(UNKNOWN, 0xff, 0, [0; 8]).bytes(), Nothing),
        row("4.1", "an unknown type on an idle stream", Frame::new(UNKNOWN, 0, 1, [0; 8]).bytes(), Nothing),
        row(
            "4.1",
            "an unknown type before a request",
            bytes(&[Frame::new(UNKNOWN, 0, 0, [0; 8]), get(1, "/")]),
            Answer(1),
        ),
        row(
            "4.1",
            "an unknown type within a body",
            bytes(&[post(1, "/"), Frame::new(UNKNOWN, 0, 1, [0; 8]), Frame::data(1, "x").end()]),
            Answer(1),
        ),
        row("4.1", "the reserved bit of a ping", reserved(Frame::ping(b"reserved").bytes()), Nothing),
        row("4.1", "the reserved bit of a request", reserved(get(1, "/").bytes()), Answer(1)),
        row(
            "5.5",
            "an unknown type inside a header block",
            bytes(&[
                get(1, WRONG).without(END_HEADERS),
                Frame::new(UNKNOWN, 0, 0, [0; 8]),
                Frame::new(CONTINUATION, END_HEADERS, 1, []),
            ]),
            Connection(&[PROTOCOL_ERROR]),
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn frames_beyond_the_limit_are_refused() {
    let table: Vec<Row> = vec![
        row("4.2", "DATA of 16,384 bytes", bytes(&[post(1, "/"), Frame::data(1, vec![0; 16_384]).end()]), Answer(1)),
        row(
            "4.2",
            "DATA of 16,385 bytes",
            bytes(&[post(1, WRONG), Frame::data(1, vec![0; 16_385]).end()]),
            Stream(1, &[FRAME_SIZE_ERROR]),
        ),
        row(
            "4.2",
            "HEADERS of 16,385 bytes",
            Frame::headers(1, hpack::request("GET", WRONG, &[("x-long", &"x".repeat(16_400))])).end().bytes(),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        row(
            "4.2",
            "an unknown type of 16,385 bytes",
            Frame::new(UNKNOWN, 0, 0, vec![0; 16_385]).bytes(),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        row(
            "4.2",
            "a length of 2^24-1 bytes",
            [0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1],
            Connection(&[FRAME_SIZE_ERROR]),
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn data_is_checked() {
    let padded = |pad: u8, content: &[u8]| Frame::new(DATA, PADDED, 1, [&[pad], content].concat());
    let table: Vec<Row> = vec![
        row("6.1", "on stream 0", Frame::data(0, "x").bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.1",
            "as much padding as payload",
            bytes(&[post(1, WRONG), padded(6, b"hello").end()]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row(
            "6.1",
            "more padding than payload",
            bytes(&[post(1, WRONG), padded(255, b"hello").end()]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row(
            "6.1",
            "padded without a length",
            bytes(&[post(1, WRONG), Frame::new(DATA, PADDED, 1, []).end()]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        row("6.1", "only padding", bytes(&[post(1, "/"), padded(5, b"\0\0\0\0\0").end()]), Answer(1)),
    ];
    hold(table).await;
}

#[tokio::test]
async fn headers_are_checked() {
    let block = hpack::request("GET", WRONG, &[]);
    let flagged = |flags: u8, before: &[u8]| Frame::headers(1, [before, &block].concat()).with(flags).end().bytes();
    let sound = hpack::request("GET", "/", &[]);
    let padded = Frame::headers(1, [&[3], sound.as_slice(), &[0, 0, 0]].concat()).with(PADDED).end();
    let priority = Frame::headers(1, [&[0, 0, 0, 0, 15], sound.as_slice()].concat()).with(WITH_PRIORITY).end();
    let table: Vec<Row> = vec![
        row("6.2", "on stream 0", Frame::headers(0, block.clone()).end().bytes(), Connection(&[PROTOCOL_ERROR])),
        row("6.2", "more padding than payload", flagged(PADDED, &[255]), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.2",
            "padded without a length",
            Frame::new(HEADERS, PADDED | END_HEADERS, 1, []).bytes(),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        row(
            "6.2",
            "a priority of four bytes",
            Frame::new(HEADERS, WITH_PRIORITY | END_HEADERS, 1, [0; 4]).bytes(),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        row("6.2", "padding", padded.bytes(), Answer(1)),
        row("6.2", "a priority", priority.bytes(), Answer(1)),
        // RFC 7540 section 5.3.1 said so; RFC 9113 gives priorities no meaning, and lets a server keep to it or not.
        row(
            "5.3.1 of RFC 7540",
            "a stream that depends on itself",
            flagged(WITH_PRIORITY, &[0, 0, 0, 1, 15]),
            Stream(1, &[PROTOCOL_ERROR]),
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn priorities_resets_and_promises_are_checked() {
    let priority = |stream: u32, payload: &[u8]| Frame::new(PRIORITY, 0, stream, payload);
    let reset = |stream: u32, payload: &[u8]| Frame::new(RST_STREAM, 0, stream, payload);
    let table: Vec<Row> = vec![
        row("6.3", "PRIORITY on stream 0", priority(0, &[0, 0, 0, 1, 15]).bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.3",
            "PRIORITY of four bytes",
            bytes(&[post(1, WRONG), priority(1, &[0; 4])]),
            Stream(1, &[FRAME_SIZE_ERROR]),
        ),
        row(
            "6.3",
            "PRIORITY of six bytes",
            bytes(&[post(1, WRONG), priority(1, &[0; 6])]),
            Stream(1, &[FRAME_SIZE_ERROR]),
        ),
        row(
            "5.3.1 of RFC 7540",
            "PRIORITY on itself",
            bytes(&[post(1, WRONG), priority(1, &[0, 0, 0, 1, 15])]),
            Stream(1, &[PROTOCOL_ERROR]),
        ),
        row("6.3", "PRIORITY on an idle stream", priority(1, &[0, 0, 0, 0, 15]).bytes(), Nothing),
        row("6.4", "RST_STREAM on stream 0", reset(0, &[0, 0, 0, 8]).bytes(), Connection(&[PROTOCOL_ERROR])),
        row("6.4", "RST_STREAM on an idle stream", reset(1, &[0, 0, 0, 8]).bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.4",
            "RST_STREAM of three bytes",
            bytes(&[post(1, WRONG), reset(1, &[0, 0, 8])]),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        row(
            "6.4",
            "RST_STREAM of five bytes",
            bytes(&[post(1, WRONG), reset(1, &[0; 5])]),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        row("6.4", "RST_STREAM with an unknown code", bytes(&[post(1, WRONG), reset(1, &[0xff; 4])]), Nothing),
        row(
            "8.4",
            "PUSH_PROMISE of a client",
            bytes(&[
                post(1, WRONG),
                Frame::new(
                    PUSH_PROMISE,
                    END_HEADERS,
                    1,
                    [&[0, 0, 0, 2], hpack::request("GET", WRONG, &[]).as_slice()].concat(),
                ),
            ]),
            Connection(&[PROTOCOL_ERROR]),
        ),
    ];
    hold(table).await;
}

/// RFC 9113 section 6.10: a header block is one thing; nothing may stand inside it.
#[tokio::test]
async fn header_blocks_are_whole() {
    let block = hpack::request("GET", WRONG, &[("x-any", "y")]);
    let open = || Frame::headers(1, block[..20].to_vec()).without(END_HEADERS).end();
    let rest = |flags: u8, stream: u32| Frame::new(CONTINUATION, flags, stream, block[20..].to_vec());
    let sound = hpack::request("GET", "/", &[]);
    let parts = [
        Frame::headers(1, sound[..1].to_vec()).without(END_HEADERS).end().bytes(),
        Frame::new(CONTINUATION, 0, 1, sound[1..9].to_vec()).bytes(),
        Frame::new(CONTINUATION, 0, 1, []).bytes(),
        Frame::new(CONTINUATION, END_HEADERS, 1, sound[9..].to_vec()).bytes(),
    ];
    let with = |inside: Frame| bytes(&[open(), inside, rest(END_HEADERS, 1)]);
    let table: Vec<Row> = vec![
        row("6.10", "a block in four pieces", parts.concat(), Answer(1)),
        row("6.10", "CONTINUATION without HEADERS", rest(END_HEADERS, 1).bytes(), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.10",
            "CONTINUATION behind the end",
            bytes(&[get(1, "/"), rest(END_HEADERS, 1)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row(
            "6.10",
            "CONTINUATION behind DATA",
            bytes(&[post(1, WRONG), Frame::data(1, "x"), rest(END_HEADERS, 1)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row("6.10", "CONTINUATION on stream 0", bytes(&[open(), rest(END_HEADERS, 0)]), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.10",
            "CONTINUATION on another stream",
            bytes(&[open(), rest(END_HEADERS, 3)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row("6.2", "DATA inside", with(Frame::data(1, "x")), Connection(&[PROTOCOL_ERROR])),
        row("6.2", "HEADERS inside", with(get(3, WRONG)), Connection(&[PROTOCOL_ERROR])),
        row("6.2", "HEADERS of the same stream inside", with(get(1, WRONG)), Connection(&[PROTOCOL_ERROR])),
        row("6.2", "PING inside", with(Frame::ping(b"12345678")), Connection(&[PROTOCOL_ERROR])),
        row("6.2", "SETTINGS inside", with(Frame::settings(&[])), Connection(&[PROTOCOL_ERROR])),
        row(
            "6.2",
            "PRIORITY inside",
            with(Frame::new(PRIORITY, 0, 1, [0, 0, 0, 0, 15])),
            Connection(&[PROTOCOL_ERROR]),
        ),
        row("6.2", "WINDOW_UPDATE inside", with(Frame::window_update(0, 1)), Connection(&[PROTOCOL_ERROR])),
        row("6.2", "RST_STREAM inside", with(Frame::reset(1, 8)), Connection(&[PROTOCOL_ERROR])),
    ];
    hold(table).await;
}
