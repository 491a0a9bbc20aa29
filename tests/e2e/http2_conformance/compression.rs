//! Header compression (RFC 7541): a block that can't be decoded leaves both sides with different tables, so that the
//! connection ends (RFC 9113 section 4.3).

use super::Expected::{Answer, Connection};
use super::{COMPRESSION_ERROR, Row, WRONG, hold, row};
use portcullis_tests::frame::{END_HEADERS, END_STREAM, Frame, HEADERS, bytes};
use portcullis_tests::hpack;

const BROKEN: super::Expected = Connection(&[COMPRESSION_ERROR]);

/// A request whose block has these bytes in front of it, or behind it.
fn with(before: &[u8], behind: &[u8]) -> Vec<u8> {
    let block = [before, &hpack::request("GET", WRONG, &[]), behind].concat();
    Frame::headers(1, block).end().bytes()
}

/// The same on a path that may be asked for.
fn sound(before: &[u8], behind: &[u8]) -> Vec<u8> {
    let block = [before, &hpack::request("GET", "/", &[]), behind].concat();
    Frame::headers(1, block).end().bytes()
}

#[tokio::test]
async fn indexes_stay_within_the_tables() {
    let table: Vec<Row> = vec![
        row("2.3.3 of RFC 7541", "index 62 of an empty table", with(&[], &[0x80 | 62]), BROKEN),
        row("2.3.3 of RFC 7541", "index 70 of an empty table", with(&[], &[0x80 | 70]), BROKEN),
        row("2.3.3 of RFC 7541", "a name at index 70", with(&[], &[0x7f, 7, 1, b'x']), BROKEN),
        row("6.1 of RFC 7541", "index 0", with(&[], &[0x80]), BROKEN),
        row("2.3.3 of RFC 7541", "an index of 2^28", with(&[], &[0xff, 0x81, 0xff, 0xff, 0x7f]), BROKEN),
        row(
            "6.1 of RFC 7541",
            "a request of the static table",
            Frame::headers(1, [&[0x82, 0x87, 0x84][..], &hpack::literal(":authority", "localhost")].concat())
                .end()
                .bytes(),
            Answer(1),
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn sizes_of_the_table_are_checked() {
    let change = |size: usize| hpack::integer(5, 0x20, size);
    let line = [(":scheme", "https"), (":authority", "localhost"), (":path", WRONG)];
    let block = [hpack::literal(":method", "GET"), change(0), hpack::block(&line)].concat();
    let between = Frame::headers(1, block).end().bytes();
    let table: Vec<Row> = vec![
        row("6.3 of RFC 7541", "larger than the setting", with(&change(4_097), &[]), BROKEN),
        row("6.3 of RFC 7541", "much larger than the setting", with(&change(1 << 20), &[]), BROKEN),
        row("4.2 of RFC 7541", "behind a field", with(&[], &change(0)), BROKEN),
        row("4.2 of RFC 7541", "between fields", between, BROKEN),
        row("4.2 of RFC 7541", "at the start", sound(&change(0), &[]), Answer(1)),
        row("4.2 of RFC 7541", "twice at the start", sound(&[change(0), change(4_096)].concat(), &[]), Answer(1)),
    ];
    hold(table).await;
}

#[tokio::test]
async fn texts_and_integers_are_whole() {
    // A literal without indexing and with a new name, whose value follows.
    let named = b"\x00\x05x-any";
    let value = |bytes: &[u8]| with(&[], &[named.as_slice(), bytes].concat());
    let table: Vec<Row> = vec![
        // 5.2: padding is the most significant bits of EOS, which are ones, and shorter than a byte.
        row("5.2 of RFC 7541", "padding of a whole byte", value(&[0x82, 0x1f, 0xff]), BROKEN),
        row("5.2 of RFC 7541", "padding of zeros", value(&[0x81, 0x18]), BROKEN),
        row("5.2 of RFC 7541", "the end of strings in a string", value(&[0x84, 0xff, 0xff, 0xff, 0xff]), BROKEN),
        row(
            "5.2 of RFC 7541",
            "a Huffman code as it should be",
            sound(&[], &[named.as_slice(), &[0x81, 0x1f]].concat()),
            Answer(1),
        ),
        row("5.2 of RFC 7541", "a value longer than its block", value(&[5, b'x']), BROKEN),
        row("5.2 of RFC 7541", "no value", value(&[]), BROKEN),
        row("5.2 of RFC 7541", "a name longer than its block", with(&[], &[0, 127, 1, b'x']), BROKEN),
        row("5.1 of RFC 7541", "an integer that does not end", with(&[], &[0xff]), BROKEN),
        row("5.1 of RFC 7541", "an integer that goes on at the end", with(&[], &[0xff, 0x80]), BROKEN),
        row(
            "5.1 of RFC 7541",
            "an integer of eleven bytes",
            with(&[], &[0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
            BROKEN,
        ),
        row(
            "5.1 of RFC 7541",
            "a length beyond 64 bits",
            value(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            BROKEN,
        ),
        row(
            "4.3",
            "a block that ends inside a field",
            Frame::new(HEADERS, END_HEADERS | END_STREAM, 1, hpack::request("GET", WRONG, &[])[..30].to_vec()).bytes(),
            BROKEN,
        ),
    ];
    hold(table).await;
}

/// RFC 9113 section 4.3: the blocks of streams that nobody wants any more are decoded too, or the tables part.
#[tokio::test]
async fn refused_and_cancelled_streams_change_the_tables_as_others_do() {
    // Enters "x-any: y" into the table; index 62 then names it.
    let entering = [&[0x40][..], &hpack::literal("x-any", "y")[1..]].concat();
    let cancelled = Frame::headers(1, [hpack::request("GET", "/cancelled", &[]), entering.clone()].concat());
    let malformed = [hpack::request("GET", WRONG, &[("connection", "close")]), entering].concat();
    let next =
        |stream: u32| Frame::headers(stream, [&hpack::request("GET", "/", &[])[..], &[0x80 | 62]].concat()).end();
    let table: Vec<Row> = vec![
        row("4.3", "behind a cancelled one", bytes(&[cancelled, Frame::reset(1, 8), next(3)]), Answer(3)),
        row("4.3", "behind a malformed one", bytes(&[Frame::headers(1, malformed).end(), next(3)]), Answer(3)),
    ];
    hold(table).await;
}
