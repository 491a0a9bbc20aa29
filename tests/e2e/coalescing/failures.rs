//! What becomes of those who wait when something goes wrong, or the answer is not for all.

use super::{BODY, COALESCED, edge, pair, refresh, under_way};
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

/// A leader below HTTP, so that the test can make it leave.
async fn leader(edge: &Edge) -> Raw {
    let mut raw = Raw::connect(edge.address("http")).await;
    raw.send(format!(
        "POST /api/token/refresh/ HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        edge.address("http"),
        BODY.len()
    ))
    .await;
    raw
}

#[tokio::test]
async fn the_call_goes_on_when_the_client_of_the_first_leaves() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let leader = leader(&edge).await;
    let exchange = origin.exchange().await;
    let waiting = under_way(refresh(&edge));
    edge.counted(COALESCED, 1).await;
    let open = edge.metrics().await.get("portcullis_connections_open");
    leader.reset();
    edge.counted("portcullis_connections_open", open - 1).await;
    exchange.reply_text("successor").await;
    assert_eq!(waiting.await.expect("a client").expect_status(200).text(), "successor");
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn a_client_that_lost_its_connection_and_asks_again_gets_the_answer_of_its_first_call() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let leader = leader(&edge).await;
    let exchange = origin.exchange().await;
    leader.reset();
    edge.counted("portcullis_connections_open", 0).await;
    let again = under_way(refresh(&edge));
    edge.counted(COALESCED, 1).await;
    exchange.reply_text("successor").await;
    assert_eq!(again.await.expect("a client").expect_status(200).text(), "successor");
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn a_failure_is_told_to_all_and_nobody_asks_again() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let (leader, waiting, exchange) = pair(&edge, &mut origin).await;
    exchange.reset();
    let leader = leader.await.expect("a client").expect_status(502);
    let waiting = waiting.await.expect("a client").expect_status(502);
    assert_eq!((leader.edge_code(), waiting.edge_code()), ("upstream_reset".into(), "upstream_reset".into()));
    assert_ne!(leader.header("x-request-id"), waiting.header("x-request-id"));
    assert!(origin.is_quiet(), "the application may have acted before it failed");
}

#[tokio::test]
async fn an_error_of_the_application_is_an_answer_as_any() {
    for status in ["401 Unauthorized", "429 Too Many Requests", "503 Service Unavailable"] {
        let mut origin = Origin::start().await;
        let edge = edge(&origin, "true").await;
        let (leader, waiting, exchange) = pair(&edge, &mut origin).await;
        exchange.reply(format!("HTTP/1.1 {status}\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno")).await;
        for request in [leader, waiting] {
            let answer = request.await.expect("a client");
            assert_eq!((answer.text(), answer.header("retry-after")), ("no", Some("7")), "{answer:?}");
            assert!(status.starts_with(answer.status.as_str()), "{answer:?}");
        }
        assert!(origin.is_quiet());
    }
}

#[tokio::test]
async fn an_answer_without_a_length_is_shared_when_it_is_short() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let (leader, waiting, exchange) = pair(&edge, &mut origin).await;
    exchange
        .reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Accel-Redirect: /etc/passwd\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        .await;
    for request in [leader, waiting] {
        let answer = request.await.expect("a client").expect_status(200);
        assert_eq!((answer.text(), answer.header("x-accel-redirect")), ("abc", None));
    }
}

#[tokio::test]
async fn a_long_answer_is_its_own_clients_alone() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "{ response = \"8B\" }").await;
    let (leader, waiting, mut exchange) = pair(&edge, &mut origin).await;
    // It streams: the others do not wait for its end.
    exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\n, you\r\n").await;
    origin.exchange().await.reply_text("short").await;
    assert_eq!(waiting.await.expect("a client").expect_status(200).text(), "short");
    exchange.send("1\r\n!\r\n0\r\n\r\n").await;
    assert_eq!(leader.await.expect("a client").expect_status(200).text(), "hello, you!");
    exchange.keep();
    let announced = under_way(refresh(&edge));
    origin.exchange().await.reply(ok("longer than that")).await;
    assert_eq!(announced.await.expect("a client").text(), "longer than that");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_for_all() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let (leader, waiting, mut exchange) = pair(&edge, &mut origin).await;
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    exchange.close().await;
    for request in [leader, waiting] {
        assert_eq!(request.await.expect("a client").expect_status(502).edge_code(), "upstream_reset");
    }
}

#[tokio::test]
async fn who_waits_waits_no_longer_than_for_a_call_of_its_own() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true\nresponse_timeout = \"1s\"").await;
    let (leader, waiting, exchange) = pair(&edge, &mut origin).await;
    for request in [leader, waiting] {
        assert_eq!(request.await.expect("a client").expect_status(504).edge_code(), "upstream_timeout");
    }
    drop(exchange);
}
