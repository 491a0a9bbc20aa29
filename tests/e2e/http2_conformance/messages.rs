//! Requests that are malformed (RFC 9113 section 8): a stream error, and nothing of them reaches an upstream, where a
//! field of theirs could become two.

use super::Expected::{Answer, Refusal, Stream};
use super::{PROTOCOL_ERROR, Row, WRONG, hold, post, row, start};
use portcullis_tests::frame::{Frame, bytes};
use portcullis_tests::hpack;
use portcullis_tests::http2::{Ending, Http2};

const MALFORMED: super::Expected = Stream(1, &[PROTOCOL_ERROR]);

/// A whole request of just these fields.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    Frame::headers(1, hpack::block(fields)).end().bytes()
}

/// A sound request with one more field.
fn plus(name: &str, value: &str) -> Vec<u8> {
    Frame::headers(1, hpack::request("GET", WRONG, &[(name, value)])).end().bytes()
}

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "https");
const AUTHORITY: (&str, &str) = (":authority", "localhost");
const PATH: (&str, &str) = (":path", WRONG);

#[tokio::test]
async fn pseudo_fields_are_checked() {
    let whole = [METHOD, SCHEME, AUTHORITY, PATH];
    let with = |more: (&'static str, &'static str)| fields(&[&whole[..], &[more]].concat());
    let table: Vec<Row> = vec![
        row("8.3.1", "no method", fields(&[SCHEME, AUTHORITY, PATH]), MALFORMED),
        row("8.3.1", "no scheme", fields(&[METHOD, AUTHORITY, PATH]), MALFORMED),
        row("8.3.1", "no path", fields(&[METHOD, SCHEME, AUTHORITY]), MALFORMED),
        row("8.3.1", "an empty path", fields(&[METHOD, SCHEME, AUTHORITY, (":path", "")]), MALFORMED),
        row("8.3.1", "a path without a slash", fields(&[METHOD, SCHEME, AUTHORITY, (":path", "wrong")]), MALFORMED),
        row("8.3.1", "an asterisk of a GET", fields(&[METHOD, SCHEME, AUTHORITY, (":path", "*")]), Refusal(1)),
        row("8.3.1", "an empty method", fields(&[(":method", ""), SCHEME, AUTHORITY, PATH]), MALFORMED),
        row("8.3.1", "an empty scheme", fields(&[METHOD, (":scheme", ""), AUTHORITY, PATH]), MALFORMED),
        row("8.3.1", "two methods", with(METHOD), MALFORMED),
        row("8.3.1", "two schemes", with(SCHEME), MALFORMED),
        row("8.3.1", "two paths", with(PATH), MALFORMED),
        row("8.3.1", "two authorities", with(AUTHORITY), MALFORMED),
        row("8.3", "an unknown one", with((":unknown", "x")), MALFORMED),
        row("8.3", "one of answers", with((":status", "200")), MALFORMED),
        row("8.3", "one behind a field", fields(&[METHOD, SCHEME, AUTHORITY, ("x-any", "y"), PATH]), MALFORMED),
        row("8.3", "a name that is a colon", with((":", "x")), MALFORMED),
        row("8.5", "CONNECT with a path", fields(&[(":method", "CONNECT"), SCHEME, AUTHORITY, PATH]), MALFORMED),
        row(
            "8.3.1",
            "the host for the authority",
            Frame::headers(1, hpack::block(&[METHOD, SCHEME, (":path", "/"), ("host", "localhost")])).end().bytes(),
            Answer(1),
        ),
        row("8.3.1", "a host that is not the authority", with(("host", "other")), Refusal(1)),
        row("8.3.1", "two hosts", fields(&[METHOD, SCHEME, PATH, ("host", "a"), ("host", "a")]), Refusal(1)),
        row("8.3.1", "neither host nor authority", fields(&[METHOD, SCHEME, PATH]), Refusal(1)),
        row("8.3.1", "a user before the host", fields(&[METHOD, SCHEME, (":authority", "me@a"), PATH]), Refusal(1)),
        row("8.3.1", "a host with a path", fields(&[METHOD, SCHEME, PATH, ("host", "a/b")]), Refusal(1)),
        row("8.3.1", "a list of hosts", fields(&[METHOD, SCHEME, PATH, ("host", "a, b")]), Refusal(1)),
        row("4 of RFC 8441", "a protocol without CONNECT", with((":protocol", "websocket")), MALFORMED),
        row(
            "4 of RFC 8441",
            "a tunnel without a path",
            fields(&[(":method", "CONNECT"), (":protocol", "websocket"), SCHEME, AUTHORITY]),
            MALFORMED,
        ),
        row(
            "4 of RFC 8441",
            "a tunnel without a scheme",
            fields(&[(":method", "CONNECT"), (":protocol", "websocket"), AUTHORITY, PATH]),
            MALFORMED,
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn fields_are_checked() {
    let table: Vec<Row> = vec![
        row("8.2.1", "an upper-case name", plus("X-Any", "y"), MALFORMED),
        row("8.2.1", "an empty name", plus("", "y"), MALFORMED),
        row("8.2.1", "a space in a name", plus("x any", "y"), MALFORMED),
        row("8.2.1", "a colon in a name", plus("x:any", "y"), MALFORMED),
        row("8.2.1", "a line feed in a name", plus("x\nany", "y"), MALFORMED),
        row("8.2.1", "a zero byte in a name", plus("x\0any", "y"), MALFORMED),
        row("8.2.1", "DEL in a name", plus("x\u{7f}any", "y"), MALFORMED),
        row("8.2.1", "a letter beyond ASCII in a name", plus("x-\u{e9}", "y"), MALFORMED),
        row("8.2.1", "a line feed in a value", plus("x-any", "y\nx-more: z"), MALFORMED),
        row("8.2.1", "a carriage return in a value", plus("x-any", "y\rz"), MALFORMED),
        row(
            "8.2.1",
            "a request in a value",
            plus("x-any", "y\r\n\r\nGET /wrong HTTP/1.1\r\nhost: a\r\n\r\n"),
            MALFORMED,
        ),
        row("8.2.1", "a zero byte in a value", plus("x-any", "y\0z"), MALFORMED),
        row("8.2.1", "a space before a value", plus("x-any", " y"), MALFORMED),
        row("8.2.1", "a tab behind a value", plus("x-any", "y\t"), MALFORMED),
        row("8.2.2", "connection", plus("connection", "keep-alive"), MALFORMED),
        row("8.2.2", "proxy-connection", plus("proxy-connection", "keep-alive"), MALFORMED),
        row("8.2.2", "keep-alive", plus("keep-alive", "timeout=5"), MALFORMED),
        row("8.2.2", "transfer-encoding", plus("transfer-encoding", "chunked"), MALFORMED),
        row("8.2.2", "upgrade", plus("upgrade", "websocket"), MALFORMED),
        row("8.2.2", "te other than trailers", plus("te", "trailers, deflate"), MALFORMED),
        row(
            "8.2.2",
            "te: trailers",
            Frame::headers(1, hpack::request("GET", "/", &[("te", "trailers")])).end().bytes(),
            Answer(1),
        ),
    ];
    hold(table).await;
}

/// What would break out of a request line of HTTP/1.1.
#[tokio::test]
async fn nothing_breaks_out_of_the_request_line() {
    let breaking = |name: &str, value: &str| {
        let place = |field: (&'static str, &'static str)| (field.0, if field.0 == name { value } else { field.1 });
        fields(&[METHOD, SCHEME, AUTHORITY, PATH].map(place))
    };
    let table: Vec<Row> = vec![
        row("8.3.1", "a line feed in the path", breaking(":path", "/wrong\nx"), MALFORMED),
        row(
            "8.3.1",
            "a request in the path",
            breaking(":path", "/wrong HTTP/1.1\r\nhost: a\r\n\r\nGET /wrong"),
            MALFORMED,
        ),
        row("8.3.1", "a space in the path", breaking(":path", "/wrong x"), MALFORMED),
        row("8.3.1", "a zero byte in the path", breaking(":path", "/wrong\0"), MALFORMED),
        row("8.3.1", "DEL in the path", breaking(":path", "/wrong\u{7f}"), MALFORMED),
        row("8.3.1", "a space in the method", breaking(":method", "GET /wrong HTTP/1.1"), MALFORMED),
        row(
            "8.3.1",
            "a line end in the method",
            breaking(":method", "GET /wrong HTTP/1.1\r\nhost: a\r\n\r\nGET"),
            MALFORMED,
        ),
        row("8.3.1", "a line end in the authority", breaking(":authority", "a\r\nx-any: y"), MALFORMED),
        row("8.3.1", "a line end in the scheme", breaking(":scheme", "https\r\nx"), MALFORMED),
    ];
    hold(table).await;
}

/// RFC 9113 section 8.1.1: a length that the body does not have, however it is cut into frames.
#[tokio::test]
async fn lengths_are_held() {
    let announced = |length: &str| Frame::headers(1, hpack::request("POST", WRONG, &[("content-length", length)]));
    let data = |bytes: &str| Frame::data(1, bytes);
    let trailers = || Frame::headers(1, hpack::block(&[("x-sum", "1")])).end();
    let table: Vec<Row> = vec![
        row("8.1.1", "less than announced", bytes(&[announced("5"), data("hi").end()]), MALFORMED),
        row("8.1.1", "nothing of what is announced", announced("5").end().bytes(), MALFORMED),
        row("8.1.1", "more than announced", bytes(&[announced("1"), data("hi").end()]), MALFORMED),
        row("8.1.1", "more in a second frame", bytes(&[announced("2"), data("hi"), data("!").end()]), MALFORMED),
        row("8.1.1", "less, then trailers", bytes(&[announced("5"), data("hi"), trailers()]), MALFORMED),
        row("8.1.1", "a length that is no number", bytes(&[announced("two"), data("hi").end()]), MALFORMED),
        row("8.1.1", "a signed length", bytes(&[announced("+2"), data("hi").end()]), MALFORMED),
        row("8.1.1", "a list of lengths", bytes(&[announced("2, 2"), data("hi").end()]), MALFORMED),
        row(
            "8.1.1",
            "two lengths",
            bytes(&[
                Frame::headers(1, hpack::request("POST", WRONG, &[("content-length", "2"), ("content-length", "3")])),
                data("hi").end(),
            ]),
            MALFORMED,
        ),
    ];
    hold(table).await;
}

#[tokio::test]
async fn trailers_are_checked() {
    let behind = |fields: &[(&str, &str)]| {
        bytes(&[post(1, WRONG), Frame::data(1, "x"), Frame::headers(1, hpack::block(fields)).end()])
    };
    let open = bytes(&[post(1, WRONG), Frame::data(1, "x"), Frame::headers(1, hpack::block(&[("x-sum", "1")]))]);
    let table: Vec<Row> = vec![
        row("8.1", "without END_STREAM", open, MALFORMED),
        row("8.1", "with a pseudo-field", behind(&[(":method", "POST")]), MALFORMED),
        row("8.1", "with a path", behind(&[("x-sum", "1"), (":path", "/wrong")]), MALFORMED),
        row("8.2.1", "with an upper-case name", behind(&[("X-Sum", "1")]), MALFORMED),
        row("8.2.1", "with a line feed in a value", behind(&[("x-sum", "1\nx-more: 2")]), MALFORMED),
        row(
            "8.1",
            "as they should be",
            bytes(&[post(1, "/"), Frame::data(1, "x"), Frame::headers(1, hpack::block(&[("x-sum", "1")])).end()]),
            Answer(1),
        ),
    ];
    hold(table).await;
}

/// A malformed request harms its own stream: its neighbours are answered.
#[tokio::test]
async fn a_malformed_request_harms_nobody_else() {
    let (edge, origin) = start().await;
    let mut connection = Http2::open(&edge.https()).await;
    let wrong = Frame::headers(3, hpack::request("GET", WRONG, &[("connection", "close")])).end();
    connection.send_bytes(bytes(&[super::get(1, "/1"), wrong, super::get(5, "/5")])).await;
    assert_eq!(connection.answer(5).await.ending, Ending::Whole);
    assert!(origin.received().iter().all(|received| received.head.target() != WRONG));
}
