//! A second attempt beside one that takes long: where it goes, which answer counts, what becomes of the other one, and
//! what is never sent twice at once.

use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::{Exchange, ok};
use portcullis_tests::frames::{FrameServer, Frames, kind};
use portcullis_tests::origin::Origin;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const SENT: &str = "portcullis_upstream_hedges_total{upstream=\"app\"}";
const WON: &str = "portcullis_upstream_hedges_won_total{upstream=\"app\"}";

/// Two endpoints, with these keys of the upstream and of the route.
async fn edge(endpoints: [&str; 2], upstream: &str, route: &str) -> Edge {
    let config = forwarding_to(&endpoints.join("\", \""))
        .replace("[[route]]", &format!("balance = \"round-robin\"\n{upstream}\n[[route]]"))
        .replace("forward = \"app\"", &format!("forward = \"app\"\n{route}"));
    Edge::start(&config).await
}

/// A request that is on its way.
fn get(client: &Client, path: &str) -> JoinHandle<Answer> {
    tokio::spawn(client.get(path).send())
}

/// Two endpoints that the test answers for.
struct Two {
    one: Origin,
    two: Origin,
    edge: Edge,
}

impl Two {
    async fn start(upstream: &str, route: &str) -> Self {
        let (one, two) = (Origin::start().await, Origin::start().await);
        let edge = edge([&one.endpoint(), &two.endpoint()], upstream, route).await;
        Self { one, two, edge }
    }

    /// The next request at either, and which.
    async fn next(&mut self) -> (Exchange, bool) {
        tokio::select! {
            exchange = self.one.exchange() => (exchange, true),
            exchange = self.two.exchange() => (exchange, false),
        }
    }

    /// The same request at both, in the order in which they got it.
    async fn both(&mut self, path: &str) -> (Exchange, Exchange) {
        let (first, at_one) = self.next().await;
        let second = if at_one { self.two.exchange().await } else { self.one.exchange().await };
        assert_eq!([first.head().target(), second.head().target()], [path, path]);
        (first, second)
    }

    fn is_quiet(&mut self) -> bool {
        self.one.is_quiet() && self.two.is_quiet()
    }

    /// Neither has been said to fail.
    async fn nobody_has_failed(&self) {
        let metrics = self.edge.metrics().await;
        assert_eq!(metrics.sum("portcullis_upstream_failures_total"), 0);
        assert_eq!(metrics.sum("portcullis_endpoint_ejections_total"), 0);
        assert_eq!(metrics.sum("portcullis_endpoint_up"), 2);
    }
}

fn causes(line: &Value) -> Value {
    line["tried"].as_array().expect("a list").iter().map(|tried| tried["cause"].clone()).collect()
}

#[tokio::test]
async fn the_first_answer_counts_and_the_other_attempt_is_given_up() {
    let mut two = Two::start("eject = { failures = 1 }", "retry = { hedge = { after = \"20ms\" } }").await;
    let client = two.edge.http();
    for (path, by_second) in [("/second", true), ("/first", false)] {
        let answer = get(&client, path);
        let (first, second) = two.both(path).await;
        two.edge.counted_at_least(SENT, 1).await;
        let (winner, loser) = if by_second { (second, first) } else { (first, second) };
        winner.reply_text("here").await;
        assert_eq!(answer.await.expect("joined").expect_status(200).text(), "here");
        assert_eq!(loser.into_raw().read_to_close().await, "", "nobody waits for it");
        let line = two.edge.log().line_with(&format!("\"path\":\"{path}\"")).await;
        assert_eq!((&line["attempts"], causes(&line)), (&json!(2), json!(["outrun", "answered"])), "{line}");
        let endpoints = [&line["tried"][0]["endpoint"], &line["tried"][1]["endpoint"]];
        assert!(endpoints[0] != endpoints[1] && *endpoints[1] == line["endpoint"], "{line}");
    }
    two.edge.counted(SENT, 2).await;
    two.edge.counted(WON, 1).await;
    assert!(two.is_quiet(), "one attempt beside another, and no more");
    two.nobody_has_failed().await;
}

/// Each in turn waits for so long that it would have been hedged; what shows it is a request that comes later and is.
#[tokio::test]
async fn what_may_not_be_sent_twice_or_is_not_held_goes_out_once() {
    let mut two = Two::start("", "retry = { hedge = { after = \"20ms\" } }").await;
    let client = two.edge.http();
    let waiting = [
        tokio::spawn(client.post("/post").body("once").send()),
        tokio::spawn(client.call("PUT", "/put").body("streams").send()),
        tokio::spawn(client.call("PATCH", "/patch").send()),
    ];
    let mut held = Vec::new();
    for _ in 0..waiting.len() {
        held.push(two.next().await.0);
    }
    let answer = get(&client, "/get");
    let (first, second) = two.both("/get").await;
    assert!(two.is_quiet(), "it came last and was the only one that came twice");
    second.reply_text("there").await;
    drop(first);
    let _ = answer.await.expect("joined").expect_status(200);
    for exchange in held {
        exchange.reply_text("once").await;
    }
    for answer in waiting {
        assert_eq!(answer.await.expect("joined").expect_status(200).text(), "once");
    }
    two.edge.counted(SENT, 1).await;
}

#[tokio::test]
async fn what_has_been_answered_in_part_goes_out_once() {
    let mut two = Two::start("", "retry = { hedge = { after = \"1s\" } }").await;
    let client = two.edge.http();
    let begun = get(&client, "/begun");
    let (mut exchange, _) = two.next().await;
    exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n").await;
    // This one comes later, and would not be the first to be sent twice.
    let answer = get(&client, "/get");
    let (first, second) = two.both("/get").await;
    two.edge.counted(SENT, 1).await;
    second.reply_text("there").await;
    exchange.reply_text("once").await;
    drop(first);
    assert_eq!(begun.await.expect("joined").expect_status(200).text(), "once");
    assert_eq!(answer.await.expect("joined").expect_status(200).text(), "there");
    assert!(two.is_quiet());
}

#[tokio::test]
async fn a_body_that_is_held_goes_to_both_as_a_whole() {
    for buffer in ["{ memory = \"2MiB\" }", "{ memory = \"64KiB\", disk = \"2MiB\" }"] {
        let mut two = Two::start("", &format!("buffer = {buffer}\nretry = {{ hedge = {{ after = \"20ms\" }} }}")).await;
        let body = vec![b'x'; 1 << 20];
        let answer = tokio::spawn(two.edge.http().call("PUT", "/held").body(body.clone()).send());
        let (mut first, mut second) = two.both("/held").await;
        let (one, other) = tokio::join!(first.read_body(), second.read_body());
        assert!(one.content == body && other.content == body);
        second.reply_text("stored").await;
        assert_eq!(answer.await.expect("joined").expect_status(200).text(), "stored");
    }
}

#[tokio::test]
async fn an_attempt_that_fails_leaves_the_other_one_to_answer() {
    let route = "retry = { on = [\"reset\", 503], hedge = { after = \"20ms\" } }";
    let mut two = Two::start("eject = false", route).await;
    let client = two.edge.http();
    // The status is one after which the route asks elsewhere: it does not count while somebody else may answer.
    let answer = get(&client, "/busy");
    let (first, second) = two.both("/busy").await;
    two.edge.counted_sum("portcullis_endpoint_in_flight", 2).await;
    second.reply("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    two.edge.counted_sum("portcullis_endpoint_in_flight", 1).await;
    first.reply_text("good").await;
    assert_eq!(answer.await.expect("joined").expect_status(200).text(), "good");
    let line = two.edge.log().line_with("\"path\":\"/busy\"").await;
    assert_eq!(causes(&line), json!(["503", "answered"]), "{line}");
}

#[tokio::test]
async fn where_both_attempts_fail_and_none_is_left_the_client_is_told() {
    let mut two = Two::start("eject = false", "retry = { hedge = { after = \"20ms\" } }").await;
    let client = two.edge.http();
    let answer = get(&client, "/lost");
    let (first, second) = two.both("/lost").await;
    first.reset();
    second.reset();
    assert_eq!(answer.await.expect("joined").expect_status(502).edge_code(), "upstream_reset");
    let line = two.edge.log().line_with("\"path\":\"/lost\"").await;
    assert_eq!((&line["attempts"], causes(&line)), (&json!(2), json!(["reset", "reset"])), "{line}");
    assert!(two.is_quiet());
}

#[tokio::test]
async fn both_attempts_are_told_when_neither_is_answered_in_time() {
    let mut two = Two::start("", "deadline = \"1s\"\nretry = { hedge = { after = \"20ms\" } }").await;
    let answer = get(&two.edge.http(), "/late");
    let (first, second) = two.both("/late").await;
    assert_eq!(answer.await.expect("joined").expect_status(504).edge_code(), "deadline_exceeded");
    for given_up in [first, second] {
        assert_eq!(given_up.into_raw().read_to_close().await, "");
    }
    let line = two.edge.log().line_with("\"path\":\"/late\"").await;
    assert_eq!(line["attempts"], 2, "{line}");
    assert_eq!(causes(&line), json!(["given_up", "deadline_exceeded"]), "{line}");
}

#[tokio::test]
async fn the_budget_of_retries_bounds_it() {
    let mut two =
        Two::start("retry_budget = { percent = 0, per_second_min = 0 }", "retry = { hedge = { after = \"20ms\" } }")
            .await;
    let answer = get(&two.edge.http(), "/");
    let (first, _) = two.next().await;
    two.edge.counted("portcullis_upstream_retries_denied_total{upstream=\"app\"}", 1).await;
    assert!(two.is_quiet());
    first.reply_text("late").await;
    let _ = answer.await.expect("joined").expect_status(200);
    two.edge.counted(SENT, 0).await;
}

#[tokio::test]
async fn over_http2_the_stream_of_the_loser_is_reset() {
    let (one, two) = (FrameServer::start().await, FrameServer::start().await);
    let endpoints = [one.address().to_string(), two.address().to_string()];
    let route = "retry = { hedge = { after = \"20ms\" } }";
    let edge = edge([&endpoints[0], &endpoints[1]], "protocol = \"h2\"\neject = { failures = 1 }", route).await;
    let answer = get(&edge.http(), "/");
    let accept = async |server: &FrameServer| -> (Frames, u32) {
        let mut frames = server.accept(&[]).await;
        let stream = frames.next_of(kind::HEADERS).await.stream;
        (frames, stream)
    };
    let ((mut loser, lost), (mut winner, won)) = tokio::join!(accept(&one), accept(&two));
    winner.answer(won, "there").await;
    assert_eq!(answer.await.expect("joined").expect_status(200).text(), "there");
    let reset = loser.next_of(kind::RST_STREAM).await;
    assert_eq!((reset.stream, reset.payload.as_slice()), (lost, &[0, 0, 0, 8][..]), "CANCEL");
    assert_eq!(edge.metrics().await.sum("portcullis_endpoint_ejections_total"), 0);
    // Its connection takes requests as before.
    let answering = [loser, winner].map(|mut frames| {
        tokio::spawn(async move {
            loop {
                let stream = frames.next_of(kind::HEADERS).await.stream;
                frames.answer(stream, "next").await;
            }
        })
    });
    for _ in 0..2 {
        assert_eq!(edge.http().get("/next").send().await.expect_status(200).text(), "next");
    }
    answering.iter().for_each(JoinHandle::abort);
}

/// Answers at once, but for `/slow`, which it answers when the test says so.
async fn answering(mut origin: Origin, slow: Arc<Notify>) {
    loop {
        let exchange = origin.exchange().await;
        let slow = Arc::clone(&slow);
        tokio::spawn(async move {
            if exchange.head().target() == "/slow" {
                slow.notified().await;
            }
            exchange.reply(ok("done")).await;
        });
    }
}

#[tokio::test]
async fn it_may_begin_beyond_what_most_attempts_take() {
    let (one, two) = (Origin::start().await, Origin::start().await);
    let edge = edge([&one.endpoint(), &two.endpoint()], "", "retry = { hedge = { after = \"p95\" } }").await;
    let slow = Arc::new(Notify::new());
    let working = [one, two].map(|origin| tokio::spawn(answering(origin, Arc::clone(&slow))));
    let client = edge.http();
    // Nobody knows yet what is long.
    let first = get(&client, "/slow");
    for _ in 0..200 {
        let _ = client.get("/fast").send().await.expect_status(200);
    }
    assert!(!first.is_finished());
    let before = edge.metrics().await.get(SENT);
    let second = get(&client, "/slow");
    edge.counted_at_least(SENT, before + 1).await;
    // Both attempts of the second wait, and the one of the first.
    let answered = async {
        while !first.is_finished() || !second.is_finished() {
            slow.notify_waiters();
            tokio::task::yield_now().await;
        }
    };
    within("the slow answers", answered).await;
    for answer in [first, second] {
        let _ = answer.await.expect("joined").expect_status(200);
    }
    working.iter().for_each(JoinHandle::abort);
}
