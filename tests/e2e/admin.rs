//! The operator's listener.

use portcullis_tests::edge::{Edge, forwarding_to};

#[tokio::test]
async fn alive_and_ready() {
    let edge = Edge::start(&forwarding_to("127.0.0.1:9")).await;
    for path in ["/livez", "/readyz"] {
        let _ = edge.admin().get(path).send().await.expect_status(200);
    }
    let _ = edge.admin().get("/other").send().await.expect_status(404);
    let _ = edge.admin().post("/livez").send().await.expect_status(405);
}

#[tokio::test]
async fn the_public_listeners_know_nothing_of_it() {
    let edge = Edge::start(&forwarding_to("127.0.0.1:9")).await;
    let answer = edge.http().get("/livez").send().await;
    assert_eq!(answer.status, 502, "it is the upstream's path there: {answer:?}");
}
