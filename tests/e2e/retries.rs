//! What is sent again when it failed: by cause, elsewhere, within the budget, and never what may have had an effect.

use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use std::net::TcpListener;

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

/// An edge that forwards to these endpoints, with more keys of the route.
async fn edge(endpoints: &[&str], route: &str) -> Edge {
    let config =
        forwarding_to(&endpoints.join("\", \"")).replace("forward = \"app\"", &format!("forward = \"app\"\n{route}"));
    Edge::start(&config.replace("[[route]]", "balance = \"round-robin\"\n[[route]]")).await
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

async fn get(client: &Client, path: &str) -> Answer {
    client.get(path).send().await
}

#[tokio::test]
async fn a_connection_that_is_lost_on_its_first_request_is_followed_by_another_elsewhere() {
    let (mut one, mut two) = (Origin::start().await, Origin::start().await);
    let edge = edge(&[&one.endpoint(), &two.endpoint()], "retry = { on = [\"reset\"] }").await;
    let (answer, ()) = tokio::join!(edge.http().call("PUT", "/x").body("held").send(), async {
        let mut lost = tokio::select! { lost = one.exchange() => lost, lost = two.exchange() => lost };
        assert_eq!(lost.read_body().await.content, b"held");
        lost.reset();
        let mut next = tokio::select! { next = one.exchange() => next, next = two.exchange() => next };
        assert_eq!(next.read_body().await.content, b"held");
        next.reply_text("there").await;
    });
    assert_eq!(answer.expect_status(200).text(), "there");
    assert_eq!((one.connections(), two.connections()), (1, 1), "each endpoint was asked once");
    let line = edge.log().line_with("\"path\":\"/x\"").await;
    assert_eq!(line["attempts"], 2, "{line}");
    let causes: Vec<_> = line["tried"].as_array().expect("a list").iter().map(|tried| tried["cause"].clone()).collect();
    assert_eq!(causes, ["reset", "answered"], "{line}");
    assert!(line["tried"][0]["ms"].is_number() && line["tried"][1]["ms"].is_number(), "{line}");
    let endpoints = [&line["tried"][0]["endpoint"], &line["tried"][1]["endpoint"]];
    assert!(endpoints[0] != endpoints[1] && *endpoints[1] == line["endpoint"], "{line}");
    edge.counted("portcullis_upstream_retries_total{upstream=\"app\"}", 1).await;
}

#[tokio::test]
async fn what_may_have_had_an_effect_is_not_sent_again() {
    let mut origin = Origin::start().await;
    let edge =
        edge(&[&origin.endpoint()], "retry = { on = [\"connect\", \"reset\", \"timeout\", 503], attempts = 5 }").await;
    let (answer, ()) = tokio::join!(edge.http().post("/pay").body("once").send(), async {
        let mut lost = origin.exchange().await;
        lost.read_body().await;
        lost.reset();
    });
    assert_eq!(answer.expect_status(502).edge_code(), "upstream_reset");
    let (answer, ()) = tokio::join!(edge.http().post("/pay").body("once").send(), async {
        origin.exchange().await.reply(BUSY).await;
    });
    assert_eq!(answer.expect_status(503).text(), "busy");
    // Half an answer is an answer, whatever the method.
    let client = edge.http();
    let (answer, ()) = tokio::join!(get(&client, "/read"), async {
        let mut half = origin.exchange().await;
        half.send("HTTP/1.1 200 OK\r\nContent-").await;
        half.reset();
    });
    assert_eq!(answer.expect_status(502).edge_code(), "upstream_reset");
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn a_post_that_reached_nobody_is_tried_until_somebody_listens() {
    let address = nobody();
    let edge = edge(&[&address], "retry = { on = [\"connect\"], attempts = 10 }").await;
    let client = edge.http();
    let (answer, _origin) = tokio::join!(client.post("/pay").body("once").send(), async {
        edge.counted_at_least("portcullis_upstream_retries_total{upstream=\"app\"}", 1).await;
        Origin::start_at(address.parse().expect("an address")).await.always(ok("paid"))
    });
    assert_eq!(answer.expect_status(200).text(), "paid");
}

#[tokio::test]
async fn a_status_that_is_named_is_tried_elsewhere_and_passed_on_when_attempts_are_used_up() {
    let busy = Origin::start().await.always(BUSY);
    let good = Origin::start().await.always(ok("good"));
    let edge = edge(&[&busy.endpoint(), &good.endpoint()], "retry = { on = [503], attempts = 2 }").await;
    for _ in 0..6 {
        assert_eq!(get(&edge.http(), "/").await.expect_status(200).text(), "good");
    }
    let tried = busy.received().len();
    assert!(tried >= 1, "somebody was sent there first");
    edge.counted("portcullis_upstream_retries_total{upstream=\"app\"}", tried as u64).await;
    let line = edge.log().line_with("\"cause\":\"503\"").await;
    assert_eq!(line["status"], 200, "{line}");

    let alone = self::edge(&[&busy.endpoint()], "retry = { on = [503], attempts = 3 }").await;
    let before = busy.received().len();
    assert_eq!(get(&alone.http(), "/").await.expect_status(503).text(), "busy", "the last answer is the client's");
    assert_eq!(busy.received().len() - before, 3);
}

#[tokio::test]
async fn retry_after_is_waited_for_within_the_deadline_and_else_passed_on() {
    let mut origin = Origin::start().await;
    let edge = edge(&[&origin.endpoint()], "deadline = \"20s\"\nretry = { on = [503], attempts = 2 }").await;
    let refused = |seconds: u32| BUSY.replacen("Content", &format!("Retry-After: {seconds}\r\nContent"), 1);
    let client = edge.http();
    let (answer, ()) = tokio::join!(get(&client, "/late"), async {
        origin.exchange().await.reply(refused(60)).await;
    });
    assert_eq!(answer.expect_status(503).header("retry-after"), Some("60"));
    let (answer, waited) = tokio::join!(get(&client, "/soon"), async {
        origin.exchange().await.reply(refused(1)).await;
        let since = std::time::Instant::now();
        let next = origin.exchange().await;
        next.reply_text("now").await;
        since.elapsed()
    });
    assert_eq!(answer.expect_status(200).text(), "now");
    assert!(waited.as_millis() >= 900, "it was not asked before: {waited:?}");
}

#[tokio::test]
async fn a_silent_endpoint_is_given_its_time_and_no_more() {
    let (mut silent, good) = (Origin::start().await, Origin::start().await.always(ok("good")));
    let edge =
        edge(&[&silent.endpoint(), &good.endpoint()], "retry = { on = [\"timeout\"], per_try_timeout = \"200ms\" }")
            .await;
    for _ in 0..2 {
        assert_eq!(get(&edge.http(), "/").await.expect_status(200).text(), "good");
    }
    let _first = silent.exchange().await;
    assert_eq!(edge.log().line_with("\"cause\":\"response_timeout\"").await["status"], 200);
}

#[tokio::test]
async fn retries_do_not_multiply_the_load_of_an_upstream_that_fails() {
    let busy = Origin::start().await.always(BUSY);
    let config = forwarding_to(&busy.endpoint())
        .replace("[[route]]", "retry_budget = { percent = 20, per_second_min = 0 }\n[[route]]")
        .replace("forward = \"app\"", "forward = \"app\"\nretry = { on = [503], attempts = 10 }");
    let edge = Edge::start(&config).await;
    let mut connection = edge.http().connect().await;
    for _ in 0..50 {
        let _ = edge.http().get("/").send_on(&mut connection).await.expect_status(503);
    }
    assert_eq!(busy.received().len(), 60, "a fifth more than there were requests");
    edge.counted("portcullis_upstream_retries_total{upstream=\"app\"}", 10).await;
    let denied = edge.metrics().await.get("portcullis_upstream_retries_denied_total{upstream=\"app\"}");
    assert_eq!(denied, 50, "each request ends in one that was not made");
}

/// 1 MiB is more than connections hold for a repetition; the spool holds it anyway.
#[tokio::test]
async fn a_body_that_the_route_holds_goes_out_again_whole_from_memory_and_disk() {
    let large = vec![b'x'; 1 << 20];
    for buffer in ["{ memory = \"2MiB\" }", "{ memory = \"64KiB\", disk = \"2MiB\" }"] {
        let (mut one, mut two) = (Origin::start().await, Origin::start().await);
        let route = format!("buffer = {buffer}\nretry = {{ on = [\"reset\"] }}");
        let edge = edge(&[&one.endpoint(), &two.endpoint()], &route).await;
        let (answer, ()) = tokio::join!(edge.http().call("PUT", "/").body(large.clone()).send(), async {
            let mut lost = tokio::select! { lost = one.exchange() => lost, lost = two.exchange() => lost };
            assert_eq!(lost.read_body().await.content, large);
            lost.reset();
            let mut next = tokio::select! { next = one.exchange() => next, next = two.exchange() => next };
            assert_eq!(next.read_body().await.content, large);
            next.reply_text("whole").await;
        });
        assert_eq!(answer.expect_status(200).text(), "whole");
    }
}

/// The application takes each assertion once, so that an attempt with the last one's would be refused.
#[tokio::test]
async fn each_attempt_has_an_assertion_of_its_own() {
    let mut origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint())
        .replace("[[route]]", "assertion_key = { file = \"{folder}/key\", create = true }\n[[route]]")
        .replace("forward = \"app\"", "forward = \"app\"\nretry = { on = [503] }");
    let edge = Edge::start(&config).await;
    let client = edge.http();
    let (answer, assertions) = tokio::join!(get(&client, "/"), async {
        let mut assertions = Vec::new();
        for reply in [BUSY.as_bytes().to_vec(), ok("ok")] {
            let exchange = origin.exchange().await;
            assertions.push(exchange.head().field("x-auth-assertion").expect("an assertion").to_owned());
            exchange.reply(reply).await;
        }
        assertions
    });
    let _ = answer.expect_status(200);
    assert_ne!(assertions[0], assertions[1]);
}
