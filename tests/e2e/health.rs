//! Endpoints that are not well: probed, ejected, and taken back.

mod protocols;

use portcullis_tests::answer::Answer;
use portcullis_tests::deadline::{until, within};
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::{Answering, Origin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// A server that answers with its name while it is well, probes and requests alike.
struct Server {
    origin: Answering,
    well: Arc<AtomicBool>,
}

impl Server {
    async fn start(name: &'static str) -> Self {
        let well = Arc::new(AtomicBool::new(true));
        let is_well = Arc::clone(&well);
        let answer = move |_: &_| if is_well.load(SeqCst) { ok(name) } else { UNAVAILABLE.into() };
        Self { origin: Origin::start().await.answering(answer), well }
    }

    /// Requests that were no probes.
    fn requests(&self) -> usize {
        self.origin.received().iter().filter(|received| received.head.target() == "/").count()
    }
}

fn config(servers: &[&Server], keys: &str) -> String {
    let endpoints: Vec<_> = servers.iter().map(|server| format!("\"{}\"", server.origin.endpoint())).collect();
    format!(
        r#"
        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = [{}]
        balance = "round-robin"
        {keys}

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        endpoints.join(", ")
    )
}

async fn get(edge: &Edge) -> Answer {
    edge.http().get("/").send().await
}

/// Waits until the operator's page says this of so many endpoints.
async fn states(edge: &Edge, state: &str, count: usize) {
    until(format!("{count} endpoints that are {state}"), async || {
        let page = edge.admin().get("/upstreams").send().await.expect_status(200);
        let page: serde_json::Value = serde_json::from_str(page.text()).expect("JSON");
        page.as_array().expect("a list").iter().filter(|endpoint| endpoint["state"] == state).count() == count
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_whose_probes_fail_gets_nothing_until_they_succeed() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let health = r#"health = { path = "/healthz", every = "50ms", timeout = "50ms", rise = 2, fall = 2, body = "o" }
        eject = false"#;
    let edge = Edge::start(&config(&[&one, &two], health)).await;
    one.well.store(false, SeqCst);
    states(&edge, "down", 1).await;
    let before = one.requests();
    for _ in 0..6 {
        assert_eq!(get(&edge).await.expect_status(200).text(), "two");
    }
    assert_eq!(one.requests(), before);
    edge.counted(
        &format!("portcullis_endpoint_up{{upstream=\"app\",endpoint=\"{0}\",address=\"{0}\"}}", one.origin.endpoint()),
        0,
    )
    .await;
    one.well.store(true, SeqCst);
    states(&edge, "up", 2).await;
    let mut answers = [get(&edge).await.text().to_owned(), get(&edge).await.text().to_owned()];
    answers.sort_unstable();
    assert_eq!(answers, ["one", "two"]);
}

/// A probe asks for more than that somebody listens.
#[tokio::test]
async fn the_status_and_the_body_of_a_probe_are_judged() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    for (keys, down) in [("body = \"tw\"", 1), ("status = [204]", 2), ("status = [200, 204]", 0)] {
        let health = format!("health = {{ path = \"/healthz\", every = \"50ms\", timeout = \"50ms\", {keys} }}");
        let edge = Edge::start(&config(&[&one, &two], &health)).await;
        states(&edge, "down", down).await;
        states(&edge, "up", 2 - down).await;
    }
}

/// Which is worse: no answer, or one from somebody who is said to be unwell?
#[tokio::test]
async fn when_all_are_down_requests_are_tried_all_the_same() {
    let only = Server::start("only").await;
    let health = "health = { path = \"/healthz\", every = \"50ms\", timeout = \"50ms\", status = [204] }";
    let edge = Edge::start(&config(&[&only], health)).await;
    states(&edge, "down", 1).await;
    assert_eq!(get(&edge).await.expect_status(200).text(), "only");
}

#[tokio::test]
async fn an_endpoint_that_fails_requests_is_ejected_and_comes_back_on_probation() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let edge = Edge::start(&config(&[&one, &two], "eject = { failures = 2, time = \"300ms\" }")).await;
    one.well.store(false, SeqCst);
    while one.requests() < 2 {
        let _ = get(&edge).await;
    }
    states(&edge, "trial", 1).await;
    one.well.store(true, SeqCst);
    within("its three good answers", async {
        while one.requests() < 5 {
            let _ = get(&edge).await.expect_status(200);
        }
    })
    .await;
    states(&edge, "up", 2).await;
    let ejections = edge.metrics().await;
    let sample = format!(
        "portcullis_endpoint_ejections_total{{upstream=\"app\",endpoint=\"{0}\",address=\"{0}\"}}",
        one.origin.endpoint()
    );
    assert!(ejections.get(&sample) >= 1);
}

#[tokio::test]
async fn half_of_the_endpoints_survive_whatever_they_answer() {
    let servers = [
        Server::start("one").await,
        Server::start("two").await,
        Server::start("three").await,
        Server::start("four").await,
    ];
    let all: Vec<_> = servers.iter().collect();
    let edge = Edge::start(&config(&all, "eject = { failures = 1, time = \"1h\" }")).await;
    servers.iter().for_each(|server| server.well.store(false, SeqCst));
    for _ in 0..20 {
        let _ = get(&edge).await.expect_status(503);
    }
    states(&edge, "ejected", 2).await;
    states(&edge, "up", 2).await;
}

#[tokio::test]
async fn what_is_known_of_an_endpoint_outlives_a_reload() {
    let (one, two) = (Server::start("one").await, Server::start("two").await);
    let keys = "eject = { failures = 1, time = \"1h\" }";
    let edge = Edge::start(&config(&[&one, &two], keys)).await;
    one.well.store(false, SeqCst);
    while one.requests() < 1 {
        let _ = get(&edge).await;
    }
    states(&edge, "ejected", 1).await;
    edge.reload(&config(&[&two, &one], keys)).await.expect("a good configuration");
    for _ in 0..4 {
        assert_eq!(get(&edge).await.expect_status(200).text(), "two");
    }
    states(&edge, "ejected", 1).await;
    assert_eq!(one.requests(), 1);
}

/// Idempotent requests, from several clients at once, while one of three endpoints goes away for good.
#[tokio::test]
async fn no_request_is_lost_when_one_of_three_endpoints_dies_under_load() {
    let (one, two, three) = (Server::start("one").await, Server::start("two").await, Server::start("three").await);
    let edge = Edge::start(&config(&[&one, &two, &three], "")).await;
    let client = edge.http();
    let load = async |calls: usize| {
        for _ in 0..calls {
            let _ = client.get("/").send().await.expect_status(200);
        }
    };
    let kill = async {
        while one.requests() < 5 {
            tokio::task::yield_now().await;
        }
        drop(one);
    };
    tokio::join!(load(60), load(60), load(60), load(60), kill);
    assert!(two.requests() + three.requests() > 200);
}
