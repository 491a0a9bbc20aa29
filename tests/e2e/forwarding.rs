//! What an upstream gets to see of a request, and a client of the answer.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::talk;

#[tokio::test]
async fn the_target_goes_upstream_as_it_came() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for target in ["/", "/a%2Fb?x=%2F&y=%zz", "/caf%C3%A9/%20", "/a;b=c/d", "/?", "/a?b?c", "/%7Euser/~user"] {
        let answer = edge.http().get(target).send().await;
        assert_eq!(answer.expect_status(200).text(), "ok", "{target}");
        assert_eq!(origin.last().head.target(), target);
    }
}

#[tokio::test]
async fn method_fields_and_body_arrive_unchanged() {
    let origin = Origin::start().await.answering(|received| {
        let length = received.body.content.len();
        format!("HTTP/1.1 418 I'm a teapot\r\nX-Made-By: origin\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes()
            .into_iter()
            .chain(received.body.content.iter().copied())
            .collect()
    });
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        let call =
            edge.http().call(method, "/things").header("X-Custom", "one").header("X-Custom", "two").body("a body");
        let answer = call.send().await.expect_status(418);
        assert_eq!((answer.text(), answer.header("x-made-by")), ("a body", Some("origin")), "{method}");
        let head = origin.last().head;
        assert_eq!(head.method(), method);
        assert_eq!(head.all("x-custom").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(head.content_length(), 6);
    }
}

#[tokio::test]
async fn the_upstream_learns_who_asked_for_what() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let _ = edge.http().host("shop.example:8080").get("/").send().await.expect_status(200);
    let head = origin.last().head;
    assert_eq!(head.field("host"), Some("shop.example:8080"), "{}", head.raw);
    assert_eq!(head.field("x-forwarded-for"), Some("127.0.0.1"), "{}", head.raw);
    assert_eq!(head.field("x-forwarded-proto"), Some("http"), "{}", head.raw);
    assert_eq!(head.field("x-forwarded-host"), Some("shop.example:8080"), "{}", head.raw);
    let forwarded = head.field("forwarded").expect("a Forwarded field").to_ascii_lowercase();
    assert!(forwarded.contains("for=127.0.0.1") && forwarded.contains("proto=http"), "{forwarded}");
    assert!(forwarded.contains(r#"host="shop.example:8080""#), "{forwarded}");
    assert!(head.field("via").expect("a Via field").starts_with("1.1 "), "{}", head.raw);
}

#[tokio::test]
async fn strangers_cannot_say_where_they_come_from() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().get("/");
    let call = call.header("X-Forwarded-For", "9.9.9.9").header("Forwarded", "for=9.9.9.9;proto=https");
    let call = call.header("X-Forwarded-Proto", "https").header("X-Forwarded-Host", "evil.example");
    let call = call.header("X-Forwarded-Port", "1").header("X-Real-IP", "9.9.9.9");
    let _ = call.send().await.expect_status(200);
    let head = origin.last().head;
    assert!(!head.raw.contains("9.9.9.9") && !head.raw.contains("evil.example"), "{}", head.raw);
    assert_eq!(head.field("x-forwarded-proto"), Some("http"), "{}", head.raw);
    assert_eq!(head.all("x-forwarded-for").count(), 1, "{}", head.raw);
}

#[tokio::test]
async fn trusted_hops_are_believed_from_right_to_left() {
    let origin = Origin::start().await.always(ok("ok"));
    let trust = "[server]\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n";
    let edge = Edge::start(&format!("{trust}{}", forwarding_to(&origin.endpoint()))).await;
    let call = edge.http().get("/").header("X-Forwarded-For", "6.6.6.6, 203.0.113.7, 10.0.0.9");
    let _ = call.header("X-Forwarded-Proto", "https").send().await.expect_status(200);
    let head = origin.last().head;
    // 6.6.6.6 stands left of the first address that nobody vouches for: it may be invented.
    assert!(!head.raw.contains("6.6.6.6"), "{}", head.raw);
    assert!(head.field("x-forwarded-for").expect("a chain").starts_with("203.0.113.7"), "{}", head.raw);
    assert_eq!(head.field("x-forwarded-proto"), Some("https"), "{}", head.raw);
}

#[tokio::test]
async fn one_request_id_joins_client_edge_and_upstream() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let first = edge.http().get("/").send().await.expect_status(200);
    let id = first.header("x-request-id").expect("an id").to_owned();
    assert_eq!(origin.last().head.all("x-request-id").collect::<Vec<_>>(), [id.as_str()]);

    let second = edge.http().get("/").header("X-Request-Id", "not sane: \"\"").send().await.expect_status(200);
    let other = second.header("x-request-id").expect("an id");
    assert!(!other.contains("sane") && other != id, "{other}");
    assert_eq!(origin.last().head.field("x-request-id"), Some(other));
}

#[tokio::test]
async fn fields_of_one_hop_stay_on_it() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n\
        Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX-End: 1\r\n\r\nok";
    let origin = Origin::start().await.always(answer);
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret-Hop\r\nX-Secret-Hop: 1\r\n\
        Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTE: trailers, gzip\r\n\
        Upgrade: foo\r\nX-End: 1\r\n\r\n";
    let answer = talk(edge.address("http"), request).await.to_ascii_lowercase();
    assert!(answer.contains("x-end: 1"), "{answer}");
    for field in ["x-hop", "keep-alive:", "proxy-authenticate"] {
        assert!(!answer.contains(field), "{field} in {answer}");
    }
    let head = origin.last().head;
    assert!(head.has("x-end"), "{}", head.raw);
    for field in ["x-secret-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
        assert!(!head.has(field), "{field} in {}", head.raw);
    }
    assert!(!head.raw.to_ascii_lowercase().contains("gzip"), "only `trailers` may stay in TE: {}", head.raw);
}

#[tokio::test]
async fn framing_fields_cannot_be_named_away() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host, X-Forwarded-For, X-Request-Id\r\n\
        Content-Length: 5\r\n\r\nhello";
    let answer = talk(edge.address("http"), request).await;
    // Either is safe: refused, or forwarded with everything that the upstream relies on.
    if !answer.starts_with("HTTP/1.1 400 ") {
        let received = origin.last();
        assert_eq!(received.body.content, b"hello", "{}", received.head.raw);
        for field in ["host", "x-forwarded-for", "x-request-id"] {
            assert!(received.head.has(field), "{field} in {}", received.head.raw);
        }
    }
}

#[tokio::test]
async fn a_unix_socket_is_an_upstream_too() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let origin = Origin::start_unix(&folder.path().join("app.sock")).always(ok("over a file"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    assert_eq!(edge.http().get("/").send().await.expect_status(200).text(), "over a file");
}

#[tokio::test]
async fn fields_of_the_route_are_set_on_every_answer() {
    let origin = Origin::start().await.always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Frame-Options: ALLOW\r\n\r\n");
    let headers = "[route.response_headers]\nX-Frame-Options = \"DENY\"\n";
    let edge = Edge::start(&format!("{}{headers}", forwarding_to(&origin.endpoint()))).await;
    let answer = edge.http().get("/").send().await.expect_status(200);
    assert_eq!(answer.headers.get_all("x-frame-options").iter().collect::<Vec<_>>(), ["DENY"]);
}

#[tokio::test]
async fn head_has_no_body_and_204_and_304_neither() {
    let origin = Origin::start().await.answering(|received| match received.head.target() {
        "/head" => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec(),
        "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n".to_vec(),
    });
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut connection = edge.http().connect().await;
    let head = edge.http().call("HEAD", "/head").send_on(&mut connection).await.expect_status(200);
    assert_eq!((head.header("content-length"), head.body.len()), (Some("1000"), 0));
    let _ = edge.http().get("/none").send_on(&mut connection).await.expect_status(204);
    let fresh = edge.http().get("/fresh").send_on(&mut connection).await.expect_status(304);
    assert_eq!(fresh.header("etag"), Some("\"x\""));
    assert_eq!(origin.connections(), 1, "the upstream's connection stays in step");
}

#[tokio::test]
async fn options_are_counted_down_and_answered_at_the_end() {
    let origin = Origin::start().await.always(ok("ok"));
    let config = forwarding_to(&origin.endpoint());
    let edge = Edge::start(&format!("{config}\nmethods = [\"GET\", \"OPTIONS\", \"TRACE\"]\n")).await;
    for (method, told, left) in
        [("OPTIONS", "3", Some("2")), ("TRACE", "1", Some("0")), ("GET", "0", Some("0")), ("OPTIONS", "x", Some("x"))]
    {
        let call = edge.http().call(method, "/").header("Max-Forwards", told);
        let _ = call.send().await.expect_status(200);
        assert_eq!(origin.last().head.field("max-forwards"), left, "{method} {told}");
    }
    let asked = origin.last().head.raw;
    let last = edge.http().call("OPTIONS", "/end").header("Max-Forwards", "0").send().await.expect_status(204);
    assert_eq!(last.header("allow"), Some("GET, HEAD, OPTIONS, TRACE"));
    let last = edge.http().call("TRACE", "/end").header("Max-Forwards", "0").send().await.expect_status(405);
    assert_eq!(last.edge_code(), "trace_refused");
    assert_eq!(origin.last().head.raw, asked, "nothing more was forwarded");
}

/// Its answer would show what scripts can't read otherwise, and the assertion.
#[tokio::test]
async fn trace_is_refused_where_no_route_names_it() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = edge.http().call("TRACE", "/").send().await.expect_status(405);
    assert_eq!(answer.edge_code(), "trace_refused");
    assert!(answer.header("allow").is_some_and(|allowed| !allowed.contains("TRACE")), "{answer:?}");
    assert!(origin.is_quiet());
}

/// Fields that `Connection` names are removed, and the trace is told all the same: the log line has its id.
#[tokio::test]
async fn no_client_ends_a_trace() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for told in [Some(PARENT), None] {
        let call = edge.http().get("/").header("Connection", "traceparent");
        let call = if let Some(parent) = told { call.header("traceparent", parent) } else { call };
        let _ = call.send().await.expect_status(200);
        let parent = origin.last().head.field("traceparent").map(str::to_owned);
        assert!(parent.is_some() && (told.is_none() || parent.as_deref() == told), "{told:?}: {parent:?}");
    }
}
