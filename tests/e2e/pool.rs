//! Connections to upstreams: kept, used again, and never the reason for an error.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;

#[tokio::test]
async fn requests_in_a_row_share_one_upstream_connection() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    for _ in 0..5 {
        let _ = edge.http().get("/").send().await.expect_status(200);
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn connection_close_from_the_upstream_is_heeded() {
    let origin = Origin::start().await.always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = edge.http().connect().await;
    for _ in 0..3 {
        let _ = edge.http().get("/").send_on(&mut client).await.expect_status(200);
    }
    assert_eq!(origin.connections(), 3);
    assert!(!client.is_closed(), "the client's connection is another hop");
}

/// The random 502 of other proxies: the application closes an idle connection at the moment of its next use.
#[tokio::test]
async fn a_stale_connection_is_replaced_without_the_client_noticing() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (first, ()) =
        tokio::join!(edge.http().get("/1").send(), async { origin.exchange().await.reply_text("first").await });
    assert_eq!(first.expect_status(200).text(), "first");

    let (second, ()) = tokio::join!(edge.http().get("/2").send(), async {
        let stale = origin.exchange().await;
        assert_eq!(stale.received.connection, 1, "the kept connection is tried");
        stale.reset();
        let fresh = origin.exchange().await;
        assert_eq!((fresh.received.connection, fresh.head().target()), (2, "/2"));
        fresh.reply_text("second").await;
    });
    assert_eq!(second.expect_status(200).text(), "second");
}

#[tokio::test]
async fn a_small_body_goes_out_again_with_its_request() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (_, ()) = tokio::join!(edge.http().get("/1").send(), async { origin.exchange().await.reply_text("ok").await });
    let (answer, ()) = tokio::join!(edge.http().call("PUT", "/2").body("twice").send(), async {
        let mut stale = origin.exchange().await;
        assert_eq!(stale.read_body().await.content, b"twice");
        stale.reset();
        let mut fresh = origin.exchange().await;
        assert_eq!(fresh.received.connection, 2);
        assert_eq!(fresh.read_body().await.content, b"twice");
        fresh.reply_text("second").await;
    });
    assert_eq!(answer.expect_status(200).text(), "second");
}

/// RFC 9110 section 9.2.2: what is not idempotent may have had its effect before the connection was lost.
#[tokio::test]
async fn a_post_that_was_received_goes_out_once_even_on_a_stale_connection() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (_, ()) = tokio::join!(edge.http().get("/1").send(), async { origin.exchange().await.reply_text("ok").await });
    let call = edge.http().post("/pay").body("once");
    let (answer, ()) = tokio::join!(call.send(), async {
        let mut exchange = origin.exchange().await;
        assert_eq!(exchange.read_body().await.content, b"once");
        exchange.reset();
    });
    assert_eq!(answer.expect_status(502).edge_code(), "upstream_reset");
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn an_idle_connection_that_the_upstream_has_closed_is_not_tried() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (first, mut idle) = tokio::join!(edge.http().get("/1").send(), async {
        let mut exchange = origin.exchange().await;
        exchange.send(ok("first")).await;
        exchange.into_raw()
    });
    assert_eq!(first.expect_status(200).text(), "first");
    idle.finish().await;
    // Not even a POST, which could not be tried twice, is risked on it.
    let (second, ()) = tokio::join!(edge.http().post("/2").body("x").send(), async {
        let exchange = origin.exchange().await;
        assert_eq!(exchange.received.connection, 2);
        exchange.reply_text("second").await;
    });
    assert_eq!(second.expect_status(200).text(), "second");
}

#[tokio::test]
async fn a_fresh_connection_is_not_retried() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let call = edge.http().post("/pay").body("once");
    let (answer, ()) = tokio::join!(call.send(), async { origin.exchange().await.reset() });
    let _ = answer.expect_status(502).edge_code();
    assert!(origin.is_quiet(), "a request that may have had an effect goes out once");
}

#[tokio::test]
async fn a_used_connection_is_not_retried_once_it_has_answered() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (_, ()) = tokio::join!(edge.http().get("/1").send(), async { origin.exchange().await.reply_text("ok").await });
    let (answer, ()) = tokio::join!(edge.http().get("/2").send(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200").await;
        exchange.reset();
    });
    let _ = answer.expect_status(502).edge_code();
    assert!(origin.is_quiet(), "half an answer is an answer");
}

#[tokio::test]
async fn two_endpoints_share_the_work() {
    let one = Origin::start().await.always(ok("one"));
    let two = Origin::start().await.always(ok("two"));
    let endpoints = format!("{}\", \"{}", one.endpoint(), two.endpoint());
    for (balance, more) in
        [("round-robin", ""), ("least-requests", ""), ("round-robin", "park = true"), ("least-requests", "park = true")]
    {
        let config =
            forwarding_to(&endpoints).replace("[[route]]", &format!("balance = \"{balance}\"\n{more}\n[[route]]"));
        let edge = Edge::start(&config).await;
        let (before_one, before_two) = (one.received().len(), two.received().len());
        for _ in 0..8 {
            let _ = edge.http().get("/").send().await.expect_status(200);
        }
        let counts = (one.received().len() - before_one, two.received().len() - before_two);
        assert_eq!(counts, (4, 4), "{balance} {more}: ties rotate");
    }
}
