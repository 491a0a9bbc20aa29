//! Well-formed neighbours of the tables: strict is not the same as deaf.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::talk;

/// Each with the target that arrives upstream; `Connection: close` is in all of them.
const REQUESTS: &[(&str, &str)] = &[
    ("plain", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    ("HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("one empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    ("two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    ("a method of every sign", "!#$%&'*+-.^_`|~09 / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    ("names in lower case", "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"),
    ("a length of zero", "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    ("no space behind colons", "POST / HTTP/1.1\r\nHost:a\r\nConnection:close\r\nContent-Length:2\r\n\r\nhi"),
    (
        "white space around values",
        "POST / HTTP/1.1\r\nHost: \ta \t\r\nConnection: close\r\nContent-Length: \t2 \t\r\n\r\nhi",
    ),
    (
        "empty, tabbed and Latin values",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Empty:\r\nX-Tab: a\tb\r\nX-Latin: \u{e9}\r\n\r\n",
    ),
    ("names of every sign", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n!#$%&'*+-.^_`|~09: y\r\n\r\n"),
    ("an address for a host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n"),
    ("a host with a port and a final dot", "GET / HTTP/1.1\r\nHost: a.example.:80\r\nConnection: close\r\n\r\n"),
    (
        "HTTP/1.0 that stays, then does not",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\nHost: a\r\n\r\n",
    ),
];

#[tokio::test]
async fn well_formed_neighbours_pass() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for (name, request) in REQUESTS {
        let answer = talk(edge.address("http"), request).await;
        // An answer to HTTP/1.0 may name that version (RFC 9110 section 2.5).
        let fine = answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.0 200 ");
        assert!(fine, "{name}: {answer}");
    }
}

/// RFC 9112 section 7: names of transfer codings know no case, and white space around a value is none of it.
#[tokio::test]
async fn chunked_in_every_spelling_is_chunked() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for coding in ["chunked", "Chunked", "CHUNKED", "cHuNkEd", " \tchunked\t "] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding:{coding}\r\n\r\n");
        let answer = talk(edge.address("http"), format!("{head}5\r\nhello\r\n0\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{coding:?}: {answer}");
        let received = origin.last();
        assert_eq!(received.body.content, b"hello", "{coding:?}");
        assert_eq!(received.head.all("transfer-encoding").collect::<Vec<_>>(), ["chunked"], "{coding:?}");
        assert!(!received.head.has("content-length"), "{}", received.head.raw);
    }
}

/// RFC 9110 section 9.1: methods know case. `get` is another method than `GET`, and none of the edge's business.
#[tokio::test]
async fn a_method_in_lower_case_is_another_method() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for method in ["get", "Post", "PURGE", "M-SEARCH", "VERSION-CONTROL", "x"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
        let answer = talk(edge.address("http"), request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{method}: {answer}");
        let received = origin.last();
        assert_eq!((received.head.method(), received.body.content.as_slice()), (method, b"hi".as_slice()));
    }
}

/// RFC 9112 section 3.2.4: `*` is for OPTIONS, and arrives as it is. It is below the pattern of every path.
#[tokio::test]
async fn an_asterisk_is_a_target_of_options() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = talk(edge.address("http"), "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(origin.last().head.start_line, "OPTIONS * HTTP/1.1");
}

/// CGI and its heirs fold `_` and `-` together: to them a field that frames nothing here could frame a body.
#[tokio::test]
async fn framing_in_another_spelling_stays_at_the_edge() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for field in
        ["Content_Length: 100", "CONTENT.LENGTH: 100", "Transfer_Encoding: chunked", "transfer.encoding: chunked"]
    {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{field}\r\nContent-Length: 2\r\n\r\n");
        let answer = talk(edge.address("http"), format!("{head}hi")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{field}: {answer}");
        let received = origin.last();
        let name = field.split(':').next().unwrap_or_default();
        assert!(!received.head.has(name), "{}", received.head.raw);
        assert_eq!((received.head.content_length(), received.body.content.as_slice()), (2, b"hi".as_slice()));
    }
}
