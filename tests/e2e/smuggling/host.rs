//! Exactly one host, said in one way (RFC 9112 section 3.2, RFC 9110 section 7.2).

use super::{HOST, Refusal, are_refused, rows};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::talk;

/// A target of another scheme: the request is for another listener (RFC 9110 section 7.4).
const SCHEME: &[Refusal] =
    &[(400, "bad_target"), (400, "bad_host"), (400, "malformed_request"), (421, "misdirected_request")];

/// Two hosts in one request, or one that no target may have.
const DISAGREEING: &[Refusal] = &[(400, "bad_host"), (400, "bad_target"), (400, "malformed_request")];

const HOSTS: &[(&str, &str, &[Refusal])] = &[
    ("none", "GET / HTTP/1.1\r\nX-Any: y\r\n\r\n", HOST),
    ("none, and no field at all", "GET / HTTP/1.1\r\n\r\n", HOST),
    ("none, with an absolute target", "GET http://a/ HTTP/1.1\r\nX-Any: y\r\n\r\n", HOST),
    ("two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HOST),
    ("the same twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HOST),
    ("two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", HOST),
    ("two in other case, apart", "GET / HTTP/1.1\r\nhost: a\r\nX-Any: y\r\nHOST: a\r\n\r\n", HOST),
    ("an empty one", "GET / HTTP/1.1\r\nHost:\r\n\r\n", HOST),
    ("a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HOST),
    ("a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HOST),
    ("a query", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", HOST),
    ("a fragment", "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", HOST),
    ("a user", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", HOST),
    ("a scheme", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", HOST),
    ("a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HOST),
    ("a backslash", "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", HOST),
    ("a letter beyond ASCII", "GET / HTTP/1.1\r\nHost: \u{e9}.example\r\n\r\n", HOST),
    ("a port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", HOST),
    ("a port that is no number", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", HOST),
    ("a port of six digits", "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", HOST),
    ("a signed port", "GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n", HOST),
    ("two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", HOST),
    ("an address literal that does not end", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HOST),
    ("an address literal that is none", "GET / HTTP/1.1\r\nHost: [zz]\r\n\r\n", HOST),
    ("a word behind an address literal", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", HOST),
    ("a target that names another", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", DISAGREEING),
    ("a target with another port", "GET http://a:81/ HTTP/1.1\r\nHost: a:80\r\n\r\n", DISAGREEING),
    ("a target with a user", "GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n", DISAGREEING),
    ("a target without one", "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", SCHEME),
    ("a target of a single slash", "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", SCHEME),
    ("a target of https on a plain listener", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", SCHEME),
    ("a target of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", SCHEME),
    ("a target without an authority", "GET mailto:a HTTP/1.1\r\nHost: a\r\n\r\n", SCHEME),
];

#[tokio::test]
async fn none_several_bad_or_disagreeing_hosts_are_refused() {
    are_refused(rows(HOSTS), true).await;
}

/// RFC 9112 section 3.2.2: a server accepts the absolute form; upstream goes the path.
#[tokio::test]
async fn an_absolute_target_that_agrees_is_the_same_request() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for (target, host, path) in [
        ("http://a/x?y", "a", "/x?y"),
        ("http://A.example/x", "a.EXAMPLE", "/x"),
        ("HTTP://a:8080/", "a:8080", "/"),
        ("http://a", "a", "/"),
        ("http://a/b//c?http://d/", "a", "/b//c?http://d/"),
        ("http://[::1]:80/x", "[::1]:80", "/x"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = talk(edge.address("http"), request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{target}: {answer}");
        let head = origin.last().head;
        assert_eq!((head.target(), head.all("host").count()), (path, 1), "{target}: {}", head.raw);
    }
}

/// RFC 9112 section 3.2.2 says so of every method, and section 3.2.4 what OPTIONS without a path means.
#[tokio::test]
async fn an_absolute_target_may_be_asked_with_every_method() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut rows = vec![
        ("OPTIONS", "http://a", "*"),
        ("OPTIONS", "HTTP://A.example:80", "*"),
        ("OPTIONS", "http://a/", "/"),
        ("OPTIONS", "http://a?b", "/?b"),
        ("OPTIONS", "http://a/?http://b", "/?http://b"),
        ("OPTIONS", "/x://y", "/x://y"),
        ("GET", "http://a", "/"),
    ];
    rows.extend(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PURGE"].map(|method| (method, "http://a/x?y", "/x?y")),
    );
    for (method, target, arrives) in rows {
        let host = if target.contains("example") { "a.example:80" } else { "a" };
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = talk(edge.address("http"), request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{method} {target}: {answer}");
        let head = origin.last().head;
        assert_eq!((head.method(), head.target(), head.field("host")), (method, arrives, Some(host)), "{target}");
    }
}

/// RFC 9112 section 3.2: HTTP/1.0 had no Host; an HTTP/1.1 upstream needs one nevertheless.
#[tokio::test]
async fn a_request_of_http_1_0_without_a_host_has_one_upstream() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = talk(edge.address("http"), "GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains(" 200 "), "{answer}");
    let head = origin.last().head;
    assert_eq!(head.all("host").count(), 1, "{}", head.raw);
}
