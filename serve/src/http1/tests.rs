//! The codec against tables of heads and chunks, sound and unsound, and cut at every place.

use super::chunked::{self, Decoder};
use super::*;
use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode, Version};
use proptest::prelude::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, fields_max: 8 };

fn request(bytes: &[u8]) -> Result<Option<RequestHead>, Malformed> {
    HeadReader::default().request(&mut BytesMut::from(bytes), LIMITS)
}

fn response(bytes: &[u8], asked: &Method) -> Result<Option<ResponseHead>, Malformed> {
    HeadReader::default().response(&mut BytesMut::from(bytes), LIMITS, asked)
}

fn body(bytes: &[u8]) -> Result<(Vec<u8>, Option<HeaderMap>, usize), Option<Malformed>> {
    let mut buffer = BytesMut::from(bytes);
    let mut decoder = Decoder::new();
    let mut data = Vec::new();
    loop {
        match decoder.decode(&mut buffer, LIMITS) {
            Ok(Some(chunked::Piece::Data(piece))) => data.extend_from_slice(&piece),
            Ok(Some(chunked::Piece::End(trailer))) => return Ok((data, trailer, buffer.len())),
            Ok(None) => return Err(None),
            Err(malformed) => return Err(Some(malformed)),
        }
    }
}

#[test]
fn sound_requests() {
    for (bytes, framing, keep_alive) in [
        (&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], Framing::Empty, true),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", Framing::Empty, true),
        (b"GET /a?b=c HTTP/1.0\r\n\r\n", Framing::Empty, false),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", Framing::Empty, true),
        (b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n", Framing::Empty, false),
        (b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", Framing::Empty, true),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n", Framing::Length(5), true),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding:\tchunked \r\n\r\n", Framing::Chunked, true),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", Framing::Empty, true),
        (b"BREW http://a/pot HTTP/1.1\r\n\r\n", Framing::Empty, true),
    ] {
        let head = request(bytes).expect("sound").expect("whole");
        assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{}", bytes.escape_ascii());
    }
}

#[test]
fn unsound_requests() {
    for (bytes, wanted) in [
        (&b"\x16\x03\x01"[..], Malformed::START),
        (b" GET / HTTP/1.1\r\n\r\n", Malformed::START),
        (b"\nGET / HTTP/1.1\r\n\r\n", Malformed::LINE_END),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", Malformed::EMPTY_LINES),
        (b"\rGET / HTTP/1.1\r\n\r\n", Malformed::LINE_END),
        (b"GET /#a HTTP/1.1\r\n\r\n", Malformed::TARGET),
        (b"GET / HTTP/1.1\nhost: a\r\n\r\n", Malformed::LINE_END),
        (b"GET / HTTP/1.1\r\nhost: a\n", Malformed::LINE_END),
        (b"GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n", Malformed::FIELD_VALUE),
        (b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", Malformed::FIELD_NAME),
        (b"GET / HTTP/1.1\r\n host: a\r\n\r\n", Malformed::FIELD_NAME),
        (b"GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", Malformed::FIELD_NAME),
        (b"GET / HTTP/1.1\r\n: a\r\n\r\n", Malformed::FIELD_NAME),
        (b"GET / HTTP/1.1\r\nh\0: a\r\n\r\n", Malformed::FIELD_NAME),
        (b"GET / HTTP/1.1\r\nh: a\0b\r\n\r\n", Malformed::FIELD_VALUE),
        (b"GET / HTTP/1.1\r\nh: a\x7fb\r\n\r\n", Malformed::FIELD_VALUE),
        (b"GET  / HTTP/1.1\r\n\r\n", Malformed::START_LINE),
        (b"GET / HTTP/1.2\r\n\r\n", Malformed::VERSION),
        (b"GET / HTTP/2.0\r\n\r\n", Malformed::VERSION),
        (b"GET / HTTP/1.10\r\n\r\n", Malformed::LINE_END),
        (b"GET / http/1.1\r\n\r\n", Malformed::START_LINE),
        (b"GET /\r\n\r\n", Malformed::START_LINE),
        (b"G(T / HTTP/1.1\r\n\r\n", Malformed::START_LINE),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", Malformed::LENGTH),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", Malformed::BOTH_FRAMINGS),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", Malformed::CODING),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked, chunked\r\n\r\n", Malformed::ENCODING),
        (b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", Malformed::ENCODING_BEFORE_1_1),
    ] {
        assert_eq!(request(bytes).expect_err("unsound"), wanted, "{}", bytes.escape_ascii());
    }
}

#[test]
fn limits_of_a_head() {
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(LIMITS.bytes_max));
    assert_eq!(request(long.as_bytes()).expect_err("too long"), Malformed::TARGET_TOO_LONG);
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(LIMITS.bytes_max));
    assert_eq!(request(large.as_bytes()).expect_err("too large"), Malformed::FIELDS_TOO_LARGE);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(LIMITS.fields_max + 1));
    assert_eq!(request(many.as_bytes()).expect_err("too many"), Malformed::FIELDS_TOO_MANY);
}

#[test]
fn sound_and_unsound_responses() {
    let get = Method::GET;
    for (bytes, asked, framing, keep_alive) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"[..], &get, Framing::Length(3), true),
        (b"HTTP/1.1 200\r\ncontent-length: 3\r\n\r\n", &get, Framing::Length(3), true),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", &Method::HEAD, Framing::Empty, true),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", &get, Framing::Empty, true),
        (b"HTTP/1.1 204 No Content\r\n\r\n", &get, Framing::Empty, true),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &get, Framing::Chunked, true),
        (b"HTTP/1.1 200 OK\r\n\r\n", &get, Framing::UntilClose, false),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n", &get, Framing::Length(3), false),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", &get, Framing::Empty, true),
        (b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n", &get, Framing::Empty, true),
    ] {
        let head = response(bytes, asked).expect("sound").expect("whole");
        assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{}", bytes.escape_ascii());
    }
    for bytes in [
        &b"ICY 200 OK\r\n"[..],
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n",
    ] {
        assert!(response(bytes, &get).is_err(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn sound_chunks() {
    for (bytes, data) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"003;x=\"y\"\r\nabc\r\n1 ;z\r\nd\r\n00\r\n\r\n", b"abcd"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ] {
        assert_eq!(body(bytes), Ok((data.to_vec(), None, 0)), "{}", bytes.escape_ascii());
    }
    let (data, trailer, left) = body(b"1\r\na\r\n0\r\nx: y\r\ncontent-length: 9\r\n\r\nGET").expect("sound");
    assert_eq!((data.as_slice(), left), (&b"a"[..], 3));
    let trailer = trailer.expect("a trailer");
    assert_eq!((trailer.len(), trailer.get("x").map(|value| value.as_bytes())), (1, Some(&b"y"[..])));
}

#[test]
fn unsound_chunks() {
    for bytes in [
        &b"\r\n\r\n"[..],
        b"g\r\n",
        b"-1\r\na\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1 \r\na\r\n",
        b"1\na\r\n",
        b"1\r\nab",
        b"1\r\na\n0\r\n\r\n",
        b"1;\x01\r\na\r\n",
        b"1;a\rb\r\na\r\n",
        b"1000000000000000\r\n",
        b"ffffffffffffffffffff\r\n",
        b"0\r\nx: y\n\r\n",
        b"0\r\nx : y\r\n\r\n",
        b"0\r\n x: y\r\n\r\n",
    ] {
        assert!(matches!(body(bytes), Err(Some(_))), "{}", bytes.escape_ascii());
    }
    assert!(matches!(body(format!("1;{}", "x".repeat(300)).as_bytes()), Err(Some(_))));
    let tiny = format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(100);
    assert!(matches!(body(tiny.as_bytes()), Err(Some(_))), "many extensions of one body");
    let trailer = format!("0\r\n{}", "x: y\r\n".repeat(400));
    assert!(matches!(body(trailer.as_bytes()), Err(Some(_))), "a trailer without end");
}

#[test]
fn every_answer_to_malformed_bytes_is_listed() {
    for malformed in [Malformed::START, Malformed::FIELDS_TOO_MANY, Malformed::CODING, Malformed::VERSION] {
        assert!(Malformed::ALL_CODES.contains(&(malformed.code, malformed.status)));
        assert!(malformed.status != StatusCode::OK);
    }
}

proptest! {
    #[test]
    fn a_head_reads_the_same_wherever_it_is_cut(cuts in prop::collection::vec(1_usize..20, 1..20)) {
        let bytes = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello";
        let mut reader = HeadReader::default();
        let mut buffer = BytesMut::new();
        let mut left = &bytes[..];
        let mut found = None;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            let (piece, rest) = left.split_at(cut.min(left.len()));
            left = rest;
            buffer.extend_from_slice(piece);
            if found.is_none() {
                found = reader.request(&mut buffer, LIMITS).expect("sound");
            }
        }
        let head = found.expect("whole");
        prop_assert_eq!(head.parts.version, Version::HTTP_11);
        prop_assert_eq!(head.framing, Framing::Length(5));
        prop_assert_eq!(&buffer[..], b"hello");
    }

    #[test]
    fn what_was_framed_is_read_back(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..10)) {
        let mut bytes = Vec::new();
        for piece in &pieces {
            chunk_line(&mut bytes, piece.len());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        last_chunk(&mut bytes, None);
        prop_assert_eq!(body(&bytes), Ok((pieces.concat(), None, 0)));
    }

    #[test]
    fn nothing_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = request(&bytes);
        let _ = response(&bytes, &Method::GET);
        let _ = body(&bytes);
    }
}
