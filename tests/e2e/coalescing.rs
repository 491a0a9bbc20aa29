//! Equal requests that arrive together become one upstream call: refreshes of one token, above all.

mod alike;
mod failures;
mod refreshes;

use portcullis_tests::answer::Answer;
use portcullis_tests::call::Call;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::Exchange;
use portcullis_tests::origin::Origin;
use tokio::task::JoinHandle;

/// How many requests waited for the call of another.
const COALESCED: &str = "portcullis_http_requests_coalesced_total";

/// What every client sends: a refresh token that may be used once.
const BODY: &str = "{\"refresh\":\"once\"}";

/// Two workers, and a route that coalesces with these settings.
async fn edge(origin: &Origin, coalesce: &str) -> Edge {
    Edge::start(&format!(
        r#"
        [server]
        threads = 2
        trusted_proxies = ["127.0.0.0/8"]

        [listener.http]
        address = "127.0.0.1:0"
        h2c = true

        [upstream.app]
        endpoints = ["{}"]

        [[route]]
        match = "/**"
        auth = "public"
        coalesce = {coalesce}
        forward = "app"
        "#,
        origin.endpoint()
    ))
    .await
}

fn refresh(edge: &Edge) -> Call {
    edge.http().post("/api/token/refresh/").header("content-type", "application/json").body(BODY)
}

/// Sends it while the test goes on.
fn under_way(call: Call) -> JoinHandle<Answer> {
    tokio::spawn(call.send())
}

/// A leader whose call has reached the upstream, and one request that waits for it.
async fn pair(edge: &Edge, origin: &mut Origin) -> (JoinHandle<Answer>, JoinHandle<Answer>, Exchange) {
    let leader = under_way(refresh(edge));
    let exchange = origin.exchange().await;
    let waiting = under_way(refresh(edge));
    edge.counted(COALESCED, 1).await;
    (leader, waiting, exchange)
}
