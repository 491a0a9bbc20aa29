//! Upstreams that fail: each fault is worded once, with the hop that caused it, and harms one request only.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::Raw;

#[tokio::test]
async fn nobody_listens() {
    let address = Origin::start().await.address();
    let edge = Edge::start(&forwarding_to(&address.to_string())).await;
    let answer = edge.http().get("/").send().await.expect_status(502);
    assert_eq!(answer.edge_code(), "upstream_connect");

    // The application is back at the same address: so is the route.
    let _origin = Origin::start_at(address).await.always(ok("back"));
    assert_eq!(edge.http().get("/").send().await.expect_status(200).text(), "back");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_no_reason_not_to_start() {
    let edge = Edge::start(&forwarding_to("missing.invalid:80")).await;
    let answer = edge.http().get("/").send().await.expect_status(503);
    assert_eq!(answer.edge_code(), "upstream_unresolved");
}

#[tokio::test]
async fn answers_that_are_no_http() {
    for bytes in [
        "garbage\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: nobody-asked\r\nConnection: upgrade\r\n\r\n",
        "",
    ] {
        let mut origin = Origin::start().await;
        let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
        let (answer, ()) = tokio::join!(edge.http().get("/").send(), async {
            let mut exchange = origin.exchange().await;
            exchange.send(bytes).await;
            exchange.close().await;
        });
        assert_eq!(answer.status, 502, "{bytes:?}: {answer:?}");
        let code = answer.edge_code();
        assert!(code.starts_with("upstream_"), "{bytes:?}: {code}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time() {
    let mut origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint());
    let edge = Edge::start(&format!("{config}\nresponse_timeout = \"200ms\"\n")).await;
    let (answer, held) = tokio::join!(edge.http().get("/").send(), async { origin.exchange().await });
    assert_eq!(answer.expect_status(504).edge_code(), "upstream_timeout");
    // The late answer would belong to nobody: the connection is gone.
    assert_eq!(held.into_raw().read_to_close().await, "");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_seen_to_break_off() {
    for head in ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut origin = Origin::start().await;
        let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
        let (mut answer, exchange) = tokio::join!(edge.http().get("/").open(), async {
            let mut exchange = origin.exchange().await;
            exchange.send(format!("HTTP/1.1 200 OK\r\n{head}")).await;
            exchange
        });
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.read_until("half").await, "half");
        exchange.reset();
        let outcome = async {
            while let Some(_piece) = answer.piece().await? {}
            Ok::<(), hyper::Error>(())
        };
        assert!(outcome.await.is_err(), "{head:?}: a truncated answer must not look whole");
    }
}

#[tokio::test]
async fn an_early_answer_to_a_long_upload_reaches_the_client() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning").await;
    let mut exchange = origin.exchange().await;
    exchange.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await;
    let head = client.read_head().await;
    assert_eq!(head.status(), 403);
    assert_eq!(client.read_body(&head).await.content, b"no");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_upstream_request_along() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let exchange = origin.exchange().await;
    client.reset();
    assert_eq!(exchange.into_raw().read_to_close().await, "", "the upstream is told by the end of its connection");
}

#[tokio::test]
async fn one_dead_endpoint_of_two_costs_no_request() {
    let dead = Origin::start().await.address();
    let alive = Origin::start().await.always(ok("alive"));
    let edge = Edge::start(&forwarding_to(&format!("{dead}\", \"{}", alive.endpoint()))).await;
    for _ in 0..6 {
        assert_eq!(edge.http().get("/").send().await.expect_status(200).text(), "alive");
    }
}
