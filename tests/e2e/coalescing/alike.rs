//! What makes two requests equal, and what does not.

use super::{BODY, COALESCED, edge, refresh, under_way};
use portcullis_tests::call::Call;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;

type Change = fn(&Edge) -> Call;

#[tokio::test]
async fn requests_that_differ_in_what_is_wanted_are_calls_of_their_own() {
    let changes: [(&str, Change); 14] = [
        ("the body", |edge| refresh(edge).body("{\"refresh\":\"other\"}")),
        ("no body", |edge| refresh(edge).body("")),
        ("the path", |edge| {
            edge.http().post("/api/token/refresh").header("content-type", "application/json").body(BODY)
        }),
        ("the query", |edge| {
            edge.http().post("/api/token/refresh/?a=1").header("content-type", "application/json").body(BODY)
        }),
        ("the type", |edge| edge.http().post("/api/token/refresh/").header("content-type", "text/plain").body(BODY)),
        ("the method", |edge| {
            edge.http().call("PUT", "/api/token/refresh/").header("content-type", "application/json").body(BODY)
        }),
        ("the host", |edge| {
            let client = edge.http().host("other.example");
            client.post("/api/token/refresh/").header("content-type", "application/json").body(BODY)
        }),
        ("the cookie", |edge| refresh(edge).header("cookie", "__Host-refresh=1")),
        ("the credentials", |edge| refresh(edge).header("authorization", "Basic eA==")),
        ("a proof", |edge| refresh(edge).header("dpop", "a.b.c")),
        ("the origin", |edge| refresh(edge).header("origin", "https://evil.example")),
        ("an idempotency key", |edge| refresh(edge).header("idempotency-key", "2")),
        ("the client", |edge| refresh(edge).header("x-forwarded-for", "192.0.2.9")),
        ("the scheme", |edge| {
            refresh(edge).header("x-forwarded-for", "127.0.0.1").header("x-forwarded-proto", "https")
        }),
    ];
    for (what, changed) in changes {
        let mut origin = Origin::start().await;
        // Without it `Authorization` does not reach the application, so that its answer can't depend on it.
        let edge = edge(&origin, "true\nforward_token = true").await;
        let first = under_way(refresh(&edge));
        let exchange = origin.exchange().await;
        let second = under_way(changed(&edge));
        // It reaches the upstream while the first is under way.
        origin.exchange().await.reply_text("second").await;
        assert_eq!(second.await.expect("a client").expect_status(200).text(), "second", "{what}");
        exchange.reply_text("first").await;
        assert_eq!(first.await.expect("a client").expect_status(200).text(), "first", "{what}");
        assert_eq!(edge.metrics().await.get(COALESCED), 0, "{what}");
    }
}

#[tokio::test]
async fn requests_that_differ_in_how_they_came_are_one() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let first = under_way(refresh(&edge));
    let exchange = origin.exchange().await;
    let (chunked, upload) = edge.http().post("/api/token/refresh/").header("content-type", "application/json").upload();
    upload.send(&BODY[..5]);
    upload.send(&BODY[5..]);
    drop(upload);
    let http2 = edge.http().http2().host(&edge.address("http").to_string());
    let same = [
        chunked,
        http2.post("/api/token/refresh/").header("content-type", "application/json").body(BODY),
        refresh(&edge).header("referer", "https://example.com/notes"),
        refresh(&edge).header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        refresh(&edge).header("x-request-id", "another"),
        refresh(&edge).header("expect", "100-continue"),
        refresh(&edge).header("connection", "x-one-hop").header("x-one-hop", "1"),
    ];
    let count = same.len();
    let others: Vec<_> = same.map(under_way).into_iter().collect();
    edge.counted(COALESCED, count as u64).await;
    exchange.reply(ok("one")).await;
    assert_eq!(first.await.expect("a client").expect_status(200).text(), "one");
    for other in others {
        assert_eq!(other.await.expect("a client").expect_status(200).text(), "one");
    }
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn what_is_larger_than_the_route_says_goes_its_own_way() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "{ request = \"8B\" }").await;
    let requests = [under_way(refresh(&edge)), under_way(refresh(&edge))];
    let (one, other) = (origin.exchange().await, origin.exchange().await);
    for mut exchange in [one, other] {
        assert_eq!(exchange.read_body().await.content, BODY.as_bytes());
        exchange.reply_text("ok").await;
    }
    for request in requests {
        let _ = request.await.expect("a client").expect_status(200);
    }
}

#[tokio::test]
async fn who_finds_no_seat_goes_alone() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "{ waiting = 1 }").await;
    let (leader, waiting, exchange) = super::pair(&edge, &mut origin).await;
    let third = under_way(refresh(&edge));
    origin.exchange().await.reply_text("alone").await;
    assert_eq!(third.await.expect("a client").text(), "alone");
    exchange.reply_text("shared").await;
    assert_eq!(leader.await.expect("a client").text(), "shared");
    assert_eq!(waiting.await.expect("a client").text(), "shared");
}

/// Two people behind one address who have sent nothing of their own yet are still two.
#[tokio::test]
async fn requests_that_carry_nothing_of_their_senders_are_not_one() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let anonymous = || edge.http().post("/api/session/").body("");
    let first = under_way(anonymous());
    let exchange = origin.exchange().await;
    let second = under_way(anonymous());
    let cookie = |value: &str| format!("HTTP/1.1 200 OK\r\nSet-Cookie: session={value}\r\nContent-Length: 0\r\n\r\n");
    origin.exchange().await.reply(cookie("second")).await;
    exchange.reply(cookie("first")).await;
    for (request, wanted) in [(first, "session=first"), (second, "session=second")] {
        assert_eq!(request.await.expect("a client").expect_status(200).header("set-cookie"), Some(wanted));
    }
}
