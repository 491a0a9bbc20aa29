//! Requests that two servers could read in two ways: 400, and the connection closes. Whatever follows on it is
//! thrown away, because nobody knows where the next request would start (RFC 9112 section 11.2).

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{Raw, talk};

/// What must never arrive at the upstream: each row of the table ends with it where a body or a further request
/// could stand.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Name and request; `SMUGGLED` follows each.
const AMBIGUOUS: &[(&str, &str)] = &[
    ("two lengths that differ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"),
    ("two lengths that agree", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    ("a list of lengths that differ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\n"),
    ("a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    ("a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n"),
    ("a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
    ("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"),
    ("a length beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n"),
    ("an unknown transfer coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
    (
        "chunked is not the last coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    ("almost chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("transfer coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello"),
    ("a folded field", "GET / HTTP/1.1\r\nHost: a\r\nX-Folded: one\r\n two\r\n\r\n"),
    ("a folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("a bare carriage return in a value", "GET / HTTP/1.1\r\nHost: a\r\nX-Bad: one\rtwo\r\n\r\n"),
    ("a zero byte in a value", "GET / HTTP/1.1\r\nHost: a\r\nX-Bad: one\0two\r\n\r\n"),
    ("a zero byte in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0Bad: one\r\n\r\n"),
    ("a field without a name", "GET / HTTP/1.1\r\nHost: a\r\n: value\r\n\r\n"),
    ("a field without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\nX-Other: a\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("the same host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("a host with a user", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n"),
    ("a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("a target that names another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a control character in the target", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a method with a bracket", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HTTP/0.9", "GET /\r\n\r\n"),
    ("a lower-case protocol", "GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("TLS on a plain listener", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n"),
];

#[tokio::test]
async fn ambiguous_requests_are_refused_and_nothing_behind_them_is_read() {
    let origin = Origin::start().await.always(ok("ok"));
    // A connection that is wrongly kept open ends the test, not its patience.
    let kept = "address = \"127.0.0.1:0\"\nidle_timeout = \"200ms\"\nheader_timeout = \"200ms\"";
    let config = forwarding_to(&origin.endpoint()).replace("address = \"127.0.0.1:0\"", kept);
    let edge = Edge::start(&config).await;
    let mut wrong = Vec::new();
    for (name, request) in AMBIGUOUS {
        let answer = talk(edge.address("http"), format!("{request}{SMUGGLED}")).await;
        if !answer.starts_with("HTTP/1.1 400 ") || answer.matches("HTTP/1.1 ").count() != 1 {
            let statuses: Vec<&str> = answer.lines().filter(|line| line.starts_with("HTTP/1.1 ")).collect();
            wrong.push(format!("{name}: {statuses:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(origin.received().is_empty(), "{:#?}", origin.received());
}

/// A body in broken chunks starts to be forwarded before the break is seen: the upstream must see it break too.
#[tokio::test]
async fn broken_chunks_never_look_whole() {
    for (name, chunks) in [
        ("a size that is no number", "zz\r\nhello\r\n0\r\n\r\n"),
        ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a size beyond 64 bits", "10000000000000000\r\nhello\r\n0\r\n\r\n"),
        ("a size in 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("a chunk longer than its size", "3\r\nhello\r\n0\r\n\r\n"),
        ("a chunk that ends with a bare line feed", "5\r\nhello\n0\r\n\r\n"),
        ("a size that ends with a bare line feed", "5\nhello\r\n0\r\n\r\n"),
        ("a line feed inside an extension", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
    ] {
        let mut origin = Origin::start().await;
        let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
        let mut client = Raw::connect(edge.address("http")).await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{head}{chunks}{SMUGGLED}")).await;
        let answered = client.read_to_close().await;
        assert!(!answered.contains(" 200 "), "{name}: {answered}");
        if let Some(exchange) = origin.arrived() {
            let seen = exchange.into_raw().read_to_close().await;
            assert!(!seen.ends_with("0\r\n\r\n"), "{name}: the upstream saw {seen:?}");
        }
        assert!(origin.is_quiet(), "{name}: a second request came out of it");
    }
}

/// RFC 9112 section 2.2 lets a server read a bare line feed as the end of a line. Then all of it must be read so.
#[tokio::test]
async fn bare_line_feeds_are_read_in_one_way() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = talk(edge.address("http"), "GET /one HTTP/1.1\nHost: a\nConnection: close\n\n").await;
    if answer.starts_with("HTTP/1.1 200 ") {
        assert!(!origin.last().head.raw.replace("\r\n", "").contains('\n'), "forwarded with CRLF");
    } else {
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_problem_without_secrets() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer very.secret.token\r\n\r\n";
    let answer = talk(edge.address("http"), request).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(!answer.contains("secret"), "{answer}");
}

#[tokio::test]
async fn well_formed_neighbours_of_the_table_pass() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Empty:\r\nX-Tab: a\tb\r\nX-Latin: \u{e9}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let answer = talk(edge.address("http"), request).await;
        let fine = answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 ");
        // `OPTIONS *` has no path that a route could match.
        assert!(fine || request.starts_with("OPTIONS *") && answer.starts_with("HTTP/1.1 4"), "{request:?}: {answer}");
    }
}
