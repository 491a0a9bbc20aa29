//! Chunked bodies (RFC 9112 section 7.1). A head may be on its way upstream before a broken chunk is seen: then the
//! upstream must see the body break off, and the client a refusal.

use super::{MALFORMED, PROMPTLY, Refusal, Row, are_refused, row};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{End, Raw, talk};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sound by the grammar, and more than any limit: to wait for such a body would be to wait for ever.
const ENDLESS: &[Refusal] = &[(400, "malformed_request"), (413, "body_too_large")];

/// Trailers are a part of the head's limits.
const TRAILERS_TOO_LARGE: &[Refusal] = &[(431, "headers_too_large"), (400, "malformed_request")];

const BODIES: &[(&str, &str)] = &[
    ("a size that is no number", "zz\r\nhello\r\n0\r\n\r\n"),
    ("a letter behind the size", "5g\r\nhello\r\n0\r\n\r\n"),
    ("no size", "\r\nhello\r\n0\r\n\r\n"),
    ("an extension without a size", ";a=b\r\nhello\r\n0\r\n\r\n"),
    ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
    ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
    ("a size in 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("an underscore in a size", "0_5\r\nhello\r\n0\r\n\r\n"),
    ("a space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
    ("a tab before the size", "\t5\r\nhello\r\n0\r\n\r\n"),
    ("a space inside the size", "0 5\r\nhello\r\n0\r\n\r\n"),
    ("a comma behind the size", "5,5\r\nhello\r\n0\r\n\r\n"),
    ("a zero byte behind the size", "5\0\r\nhello\r\n0\r\n\r\n"),
    ("a vertical tab behind the size", "5\u{b}\r\nhello\r\n0\r\n\r\n"),
    ("17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("40 digits that wrap to 5", "1000000000000000000000000000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a chunk longer than its size", "3\r\nhello\r\n0\r\n\r\n"),
    ("a chunk shorter than its size", "7\r\nhello\r\n0\r\n\r\n"),
    ("no line end behind a chunk", "5\r\nhello0\r\n\r\n"),
    ("a bare line feed behind a chunk", "5\r\nhello\n0\r\n\r\n"),
    ("a bare carriage return behind a chunk", "5\r\nhello\r0\r\n\r\n"),
    ("a line feed before the carriage return behind a chunk", "5\r\nhello\n\r0\r\n\r\n"),
    ("two line ends behind a chunk", "5\r\nhello\r\n\r\n0\r\n\r\n"),
    ("a bare line feed behind the size", "5\nhello\r\n0\r\n\r\n"),
    ("a bare carriage return behind the size", "5\rhello\r\n0\r\n\r\n"),
    ("two carriage returns behind the size", "5\r\r\nhello\r\n0\r\n\r\n"),
    ("a bare line feed behind the last size", "5\r\nhello\r\n0\n\r\n"),
    ("a bare line feed as the last line", "5\r\nhello\r\n0\r\n\n"),
    ("a line feed inside an extension", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
    ("a carriage return inside an extension", "5;a=\rb\r\nhello\r\n0\r\n\r\n"),
    ("a zero byte inside an extension", "5;a=\0\r\nhello\r\n0\r\n\r\n"),
    ("a quote that does not end in an extension", "5;a=\"b\r\nhello\r\n0\r\n\r\n"),
    ("a line end inside quotes", "5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\n"),
    ("a word behind quotes", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"),
    ("an extension without a name", "5;=b\r\nhello\r\n0\r\n\r\n"),
    ("an extension of nothing", "5;\r\nhello\r\n0\r\n\r\n"),
    ("an extension without its value", "5;a=\r\nhello\r\n0\r\n\r\n"),
    ("two words for an extension", "5;a b\r\nhello\r\n0\r\n\r\n"),
    ("an extension of the last chunk in an open quote", "5\r\nhello\r\n0;a=\"\r\n\r\n"),
    ("spaces behind the size", "5  \r\nhello\r\n0\r\n\r\n"),
    ("a chunk size in another form", "5 hello\r\n0\r\n\r\n"),
    ("a trailer without a colon", "5\r\nhello\r\n0\r\nnothing\r\n\r\n"),
    ("a trailer without a name", "5\r\nhello\r\n0\r\n: y\r\n\r\n"),
    ("a space before the colon of a trailer", "5\r\nhello\r\n0\r\nX-Any : y\r\n\r\n"),
    ("a folded trailer", "5\r\nhello\r\n0\r\nX-Any: one\r\n two\r\n\r\n"),
    ("a bare line feed behind a trailer", "5\r\nhello\r\n0\r\nX-Any: y\n\r\n"),
    ("a bare carriage return in a trailer", "5\r\nhello\r\n0\r\nX-Any: one\rtwo\r\n\r\n"),
    ("a zero byte in a trailer", "5\r\nhello\r\n0\r\nX-Any: \0\r\n\r\n"),
    ("a space before the first trailer", "5\r\nhello\r\n0\r\n X-Any: y\r\n\r\n"),
    ("a request for a trailer", "5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
];

#[tokio::test]
async fn broken_chunks_are_refused_and_never_look_whole() {
    let post = |(name, body): &(&str, &str)| row(name, format!("{HEAD}{body}"), MALFORMED);
    let mut table: Vec<Row> = BODIES.iter().map(post).collect();
    for size in ["ffffffffffffffff", "fffffffffffffffb", "8000000000000005", "7fffffffffffffff"] {
        table.push(row(&format!("a size of {size}"), format!("{HEAD}{size}\r\nhello\r\n0\r\n\r\n"), ENDLESS));
    }
    are_refused(table, false).await;
}

/// A size may carry an extension, which nobody uses; without a limit it is a body that no limit counts.
#[tokio::test]
async fn extensions_and_trailers_have_limits() {
    let long = "x".repeat(20_000);
    let trailers = "X-Many: 1\r\n".repeat(5_000);
    let table: Vec<Row> = vec![
        row("an extension of 20,000 bytes", format!("{HEAD}5;{long}\r\nhello\r\n0\r\n\r\n"), MALFORMED),
        row("an extension without an end", format!("{HEAD}5;{}", long.repeat(10)), MALFORMED),
        row("an extension of the last chunk", format!("{HEAD}5\r\nhello\r\n0;{long}\r\n\r\n"), MALFORMED),
        row(
            "zeros before a size without an end",
            format!("{HEAD}{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(20_000)),
            MALFORMED,
        ),
        row("a trailer of 40 KiB", format!("{HEAD}0\r\nX-Long: {}\r\n\r\n", long.repeat(2)), TRAILERS_TOO_LARGE),
        row("5,000 trailers", format!("{HEAD}0\r\n{trailers}\r\n"), TRAILERS_TOO_LARGE),
    ];
    are_refused(table, false).await;
}

#[tokio::test]
async fn sound_chunks_in_odd_spellings_are_read() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for (name, body) in [
        ("one chunk", "5\r\nhello\r\n0\r\n\r\n"),
        ("a chunk a byte", "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n"),
        ("zeros before the size", "0005\r\nhello\r\n000\r\n\r\n"),
        ("an extension of 20 bytes", "5;name=a-value-of-it\r\nhello\r\n0\r\n\r\n"),
        ("a quoted extension", "5;a=\"b;c\"\r\nhello\r\n0;d\r\n\r\n"),
        ("an extension with white space where it may be", "5 ; a = \"b\\\"\" ;c\r\nhello\r\n0\r\n\r\n"),
        ("a trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = talk(edge.address("http"), format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
        assert_eq!(origin.last().body.content, b"hello", "{name}");
    }
    // A hexadecimal digit in upper case.
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(format!("{HEAD}A\r\n0123456789\r\n00\r\n\r\n")).await;
    assert_eq!(client.read_head().await.status(), 200);
    assert_eq!(origin.last().body.content, b"0123456789");
}

/// RFC 9110 section 6.5.1: what frames or routes a message has no place in trailers, where it would come too late.
#[tokio::test]
async fn framing_in_trailers_goes_nowhere() {
    for field in
        ["Content-Length: 100", "Transfer-Encoding: chunked", "Host: b", "X-Auth-Subject: root", "Connection: x"]
    {
        let origin = Origin::start().await.always(ok("ok"));
        let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{HEAD}5\r\nhello\r\n0\r\n{field}\r\nX-Sum: 1\r\n\r\n")).await;
        let head = client.read_head().await;
        // To refuse it is as good as to drop the field.
        let refused = head.status() == 400;
        assert!(refused || head.status() == 200, "{field}: {}", head.raw);
        if refused {
            assert_ne!(client.read_to_end(PROMPTLY).await.1, End::Open, "{field}");
        }
        for received in origin.received() {
            let name = field.split(':').next().unwrap_or_default().to_ascii_lowercase();
            let trailers = received.body.trailers.iter().map(|line| line.to_ascii_lowercase());
            assert!(!trailers.into_iter().any(|line| line.starts_with(&name)), "{:?}", received.body.trailers);
        }
    }
}
