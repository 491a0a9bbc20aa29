//! How much an upstream is given at once, who waits for a place, and when it is left alone.

use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::linked::{KeysFrom, Linked};
use portcullis_tests::origin::Origin;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

const QUEUED: &str = "portcullis_upstream_queued{upstream=\"app\"}";

async fn edge(origin: &Origin, upstream: &str, route: &str) -> Edge {
    let config = forwarding_to(&origin.endpoint())
        .replace("[[route]]", &format!("{upstream}\n[[route]]"))
        .replace("forward = \"app\"", &format!("forward = \"app\"\n{route}"));
    Edge::start(&config).await
}

fn get(client: &Client, path: &str) -> JoinHandle<Answer> {
    tokio::spawn(client.get(path).send())
}

async fn code(answer: JoinHandle<Answer>) -> String {
    let answer = answer.await.expect("joined").expect_status(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    answer.edge_code()
}

#[tokio::test]
async fn as_many_as_may_are_in_flight_and_the_next_waits_until_an_answer_has_ended() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "limits = { in_flight_max = 2, queue_timeout = \"1m\" }", "").await;
    let client = edge.http();
    let (first, second) = (get(&client, "/1"), get(&client, "/2"));
    let (one, two) = (origin.exchange().await, origin.exchange().await);
    let third = get(&client, "/3");
    edge.counted(QUEUED, 1).await;
    assert!(origin.is_quiet());
    one.reply_text("done").await;
    let three = origin.exchange().await;
    assert_eq!(three.head().target(), "/3");
    two.reply_text("done").await;
    three.reply_text("done").await;
    for answer in [first, second, third] {
        let _ = answer.await.expect("joined").expect_status(200);
    }
    edge.counted(QUEUED, 0).await;
    assert!(edge.log().line_with("\"path\":\"/3\"").await["waited_ms"].is_number());
}

#[tokio::test]
async fn the_queue_is_bounded_in_number_and_in_time_and_a_client_that_leaves_frees_its_seat() {
    let mut origin = Origin::start().await;
    // With a deadline of its own, the one that comes last has the least time.
    let limits = "limits = { in_flight_max = 1, queue_max = 1, queue_timeout = \"2s\" }";
    let edge = edge(
        &origin,
        &format!("{limits}\n[[route]]\nmatch = \"/full\"\nauth = \"public\"\ndeadline = \"1s\"\nforward = \"app\""),
        "",
    )
    .await;
    let client = edge.http();
    let _first = get(&client, "/1");
    let held = origin.exchange().await;
    let gone = get(&client, "/gone");
    edge.counted(QUEUED, 1).await;
    gone.abort();
    edge.counted(QUEUED, 0).await;
    let late = get(&client, "/late");
    edge.counted(QUEUED, 1).await;
    assert_eq!(code(get(&client, "/full")).await, "queue_full");
    assert_eq!(code(late).await, "queue_timeout");
    drop(held);
}

#[tokio::test]
async fn who_has_too_little_time_for_an_answer_is_told_at_once() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "limits = { in_flight_max = 1, queue_timeout = \"1m\" }", "deadline = \"600ms\"").await;
    let client = edge.http();
    // Answers take about 400 ms here.
    let first = get(&client, "/1");
    let exchange = origin.exchange().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    exchange.reply_text("slow").await;
    let _ = first.await.expect("joined").expect_status(200);
    let _second = get(&client, "/2");
    let held = origin.exchange().await;
    let third = get(&client, "/3");
    edge.counted(QUEUED, 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    held.reply_text("done").await;
    assert_eq!(code(third).await, "request_shed");
    assert!(origin.is_quiet(), "it was not served in vain");
}

#[tokio::test]
async fn each_endpoint_has_its_own_limit_and_what_it_tells_counts() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    stream.tell("hello", None, json!({ "in_flight_max": 1 })).await;
    stream.tell("revocations", Some("1"), json!({ "entries": [] })).await;
    stream.tell("ready", None, json!({})).await;
    linked.edge.counted_sum("portcullis_link_up", 1).await;
    // Told before it was ready, and only then believed to be current.
    let current =
        async { while !linked.edge.metrics().await.has("portcullis_link_age_milliseconds{upstream=\"app\"}") {} };
    portcullis_tests::deadline::within("all to be told", current).await;
    let client = linked.edge.http();
    let first = get(&client, "/1");
    let one = linked.origin.exchange().await;
    let second = get(&client, "/2");
    linked.edge.counted(QUEUED, 1).await;
    assert!(linked.origin.is_quiet());
    one.reply_text("done").await;
    linked.origin.exchange().await.reply_text("done").await;
    for answer in [first, second] {
        let _ = answer.await.expect("joined").expect_status(200);
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_and_one_request_shows_that_it_is_back() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "breaker = { failures_max = 2, open_for = \"1s\" }", "").await;
    let client = edge.http();
    for _ in 0..2 {
        let failing = get(&client, "/");
        origin.exchange().await.reset();
        let _ = failing.await.expect("joined").expect_status(502);
    }
    edge.counted("portcullis_upstream_breaks_total{upstream=\"app\"}", 1).await;
    assert_eq!(code(get(&client, "/open")).await, "circuit_open");
    assert!(origin.is_quiet());
    // Half-open it is one request at a time that is sent.
    let half_open = async {
        loop {
            let asked = get(&client, "/half-open");
            tokio::select! {
                answer = asked => assert_eq!(answer.expect("joined").expect_status(503).edge_code(), "circuit_open"),
                exchange = origin.exchange() => return exchange,
            }
        }
    };
    let exchange = half_open.await;
    assert_eq!(code(get(&client, "/second")).await, "circuit_open");
    exchange.reply_text("back").await;
    let closed = async { while client.get("/closed").send().await.status != 200 {} };
    let _answering = origin.always(ok("good"));
    portcullis_tests::deadline::within("the breaker to close", closed).await;
}

/// How long the endpoint takes for a request when it has nothing else to do, and how many it does at once.
const WORK: Duration = Duration::from_millis(20);
const AT_ONCE: usize = 4;

/// More clients than it can serve.
const CLIENTS: usize = 40;

/// How long each client goes on.
const OVERLOAD: Duration = Duration::from_secs(4);

/// An endpoint that does so many requests at once and has the others wait, however many there are.
fn working(mut origin: Origin) -> JoinHandle<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    tokio::spawn(async move {
        loop {
            let exchange = origin.exchange().await;
            let places = Arc::clone(&places);
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("open");
                tokio::time::sleep(WORK).await;
                exchange.reply(ok("done")).await;
            });
        }
    })
}

/// What clients saw who ask one request after the other: how long good answers took, sorted, and the codes of the
/// others.
async fn load(edge: &Edge) -> (Vec<Duration>, Vec<String>) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = edge.http();
        clients.spawn(async move {
            let (mut good, mut shed) = (Vec::new(), Vec::new());
            let begun = Instant::now();
            while begun.elapsed() < OVERLOAD {
                let since = Instant::now();
                let answer = client.get("/").send().await;
                if answer.status == 200 {
                    good.push(since.elapsed());
                } else {
                    assert_eq!(answer.header("retry-after"), Some("1"));
                    shed.push(answer.expect_status(503).edge_code());
                    tokio::time::sleep(WORK).await;
                }
            }
            (good, shed)
        });
    }
    let (mut good, mut shed) = (Vec::new(), Vec::new());
    for (took, codes) in clients.join_all().await {
        good.extend(took);
        shed.extend(codes);
    }
    good.sort_unstable();
    (good, shed)
}

#[tokio::test]
async fn an_adaptive_limit_keeps_answers_fast_and_sheds_what_is_too_much() {
    let origin = Origin::start().await;
    let limits = "limits = { in_flight_max = { min = 2, max = 500 }, queue_max = 4, queue_timeout = \"50ms\" }";
    let limited = edge(&origin, limits, "").await;
    let unlimited = edge(&origin, "", "").await;
    let working = working(origin);

    let (all, none) = load(&unlimited).await;
    assert!(none.is_empty(), "everybody waits at the endpoint");
    let (good, shed) = load(&limited).await;
    let median = |took: &[Duration]| took[took.len() / 2];
    assert!(median(&good) < median(&all).mul_f64(0.7), "{:?} instead of {:?}", median(&good), median(&all));
    assert!(good.len() as f64 > 0.7 * all.len() as f64, "{} instead of {}: goodput stays", good.len(), all.len());
    assert!(!shed.is_empty() && shed.iter().all(|code| ["queue_full", "queue_timeout"].contains(&code.as_str())));
    let metrics = limited.metrics().await;
    let limit = metrics.get("portcullis_upstream_in_flight_limit{upstream=\"app\"}");
    assert!((2..CLIENTS as u64).contains(&limit), "{limit}");
    let least = metrics.get("portcullis_upstream_latency_least_microseconds{upstream=\"app\"}");
    assert!(Duration::from_micros(least) >= WORK, "{least}");
    assert!(!unlimited.metrics().await.has("portcullis_upstream_in_flight_limit{upstream=\"app\"}"));
    working.abort();
}
