//! One budget of time for each request: set at the edge, told to the application, heeded by everything on the way.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::Exchange;
use portcullis_tests::origin::Origin;

fn with(origin: &Origin, route: &str, server: &str) -> String {
    let config = forwarding_to(&origin.endpoint()).replace("forward = \"app\"", &format!("forward = \"app\"\n{route}"));
    format!("[server]\n{server}\n{config}")
}

fn told(exchange: &Exchange) -> Option<u64> {
    exchange.head().field("x-request-timeout").map(|text| text.parse().expect("milliseconds"))
}

#[tokio::test]
async fn the_application_is_told_what_is_left_and_clients_are_not_believed() {
    let mut origin = Origin::start().await;
    for (route, server, client, expected) in [
        ("deadline = \"10s\"", "", None, Some(10_000)),
        ("deadline = \"10s\"", "", Some("1"), Some(10_000)),
        ("", "", Some("5000"), None),
        ("total_timeout = \"10s\"", "", None, Some(10_000)),
        ("total_timeout = \"10s\"\ndeadline = \"1h\"", "", None, Some(10_000)),
        ("deadline = \"10s\"", "trusted_proxies = [\"127.0.0.0/8\"]", Some("5000"), Some(5_000)),
        ("deadline = \"10s\"", "trusted_proxies = [\"127.0.0.0/8\"]", Some("50000"), Some(10_000)),
        ("", "trusted_proxies = [\"127.0.0.0/8\"]", Some("5000"), Some(5_000)),
        ("", "trusted_proxies = [\"127.0.0.0/8\"]", Some("soon"), None),
    ] {
        let edge = Edge::start(&with(&origin, route, server)).await;
        let mut call = edge.http().get("/");
        if let Some(client) = client {
            call = call.header("X-Request-Timeout", client);
        }
        let (answer, told) = tokio::join!(call.send(), async {
            let exchange = origin.exchange().await;
            let told = told(&exchange);
            exchange.reply_text("ok").await;
            told
        });
        let _ = answer.expect_status(200);
        let case = format!("{route} {server} {client:?}: {told:?}");
        assert_eq!(told.is_some(), expected.is_some(), "{case}");
        // What passes on the way is missing.
        assert!(told.zip(expected).is_none_or(|(told, whole)| told <= whole && told > whole / 10), "{case}");
    }
}

#[tokio::test]
async fn attempts_and_waits_are_part_of_the_budget() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&with(&origin, "deadline = \"1500ms\"\nretry = { on = [503], attempts = 3 }", "")).await;
    let client = edge.http();
    let (answer, (first, second)) = tokio::join!(client.get("/x").send(), async {
        let exchange = origin.exchange().await;
        let first = told(&exchange).expect("told");
        exchange.reply("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n").await;
        let exchange = origin.exchange().await;
        let second = told(&exchange).expect("told");
        // Never answered: the deadline comes.
        let mut raw = exchange.into_raw();
        raw.read_to_close().await;
        (first, second)
    });
    assert!(first <= 1500 && second <= 500, "{first} {second}");
    assert_eq!(answer.expect_status(504).edge_code(), "deadline_exceeded");
    let line = edge.log().line_with("\"path\":\"/x\"").await;
    assert_eq!(line["code"], "deadline_exceeded");
    let causes: Vec<_> = line["tried"].as_array().expect("a list").iter().map(|tried| tried["cause"].clone()).collect();
    assert_eq!(causes, ["503", "deadline_exceeded"], "{line}");
}

#[tokio::test]
async fn a_deadline_is_for_the_head_and_the_total_for_the_end() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&with(&origin, "deadline = \"500ms\"", "")).await;
    let (mut streaming, mut exchange) = tokio::join!(edge.http().get("/").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await;
        exchange
    });
    assert_eq!(streaming.read_until("first").await, "first");
    // The deadline of a later request passes meanwhile, so that of this one has too.
    let (answer, _held) = tokio::join!(edge.http().get("/held").send(), origin.exchange());
    assert_eq!(answer.expect_status(504).edge_code(), "deadline_exceeded");
    exchange.send("after").await;
    assert_eq!(streaming.read_until("after").await, "after");
}
