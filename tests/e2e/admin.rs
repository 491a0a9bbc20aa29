//! The operator's listener.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::guarded::Guarded;
use serde_json::json;

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

/// A page of any site can make the operator's browser post to a loopback address, and so could lock everybody out.
#[tokio::test]
async fn no_page_revokes_anything() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = guarded.token("ann");
    let body =
        json!({ "issuer": "test", "revocations": [{ "kind": "kid", "value": "first", "until": 4_000_000_000_u64 }] });
    let post = || guarded.edge.admin().post("/revocations").json(&body);
    for origin in ["https://evil.example", "http://127.0.0.1:9901", "null"] {
        let _ = post().header("Origin", origin).send().await.expect_status(403);
    }
    let _ = guarded.edge.http().get("/x").bearer(&token).send().await.expect_status(200);
    let _ = post().send().await.expect_status(200);
    let _ = guarded.edge.http().get("/x").bearer(&token).send().await.expect_status(401);
}
