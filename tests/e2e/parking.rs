//! Requests that wait for an upstream that is away and expected back: bounded, released gently, gone with their clients.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::{until, within};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::linked::{KeysFrom, Linked};
use portcullis_tests::origin::Origin;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const PARKED: &str = "portcullis_upstream_parked{upstream=\"app\"}";

/// An edge that has seen its only endpoint answer once, and the endpoint's address, at which nobody listens any more.
async fn away(park: &str) -> (Edge, SocketAddr) {
    let mut origin = Origin::start().await;
    let address = origin.address();
    let config = forwarding_to(&origin.endpoint()).replace("[[route]]", &format!("park = {park}\n[[route]]"));
    let edge = Edge::start(&config).await;
    let client = edge.http();
    let (answer, ()) = tokio::join!(client.get("/first").send(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        exchange.close().await;
    });
    let _ = answer.expect_status(200);
    drop(origin);
    let gone = async { while tokio::net::TcpStream::connect(address).await.is_ok() {} };
    within("nobody to listen", gone).await;
    (edge, address)
}

fn gets(client: &Client, count: usize) -> Vec<tokio::task::JoinHandle<portcullis_tests::answer::Answer>> {
    (0..count).map(|number| tokio::spawn(client.get(&format!("/{number}")).send())).collect()
}

#[tokio::test]
async fn requests_of_every_kind_wait_until_somebody_is_back() {
    let (edge, address) = away("true").await;
    let client = edge.http();
    let waiting = gets(&client, 40);
    let post = tokio::spawn(client.post("/pay").body("once").send());
    edge.counted(PARKED, 41).await;
    let origin = Origin::start_at(address).await.always(ok("back"));
    for answer in waiting {
        assert_eq!(answer.await.expect("joined").expect_status(200).text(), "back");
    }
    assert_eq!(post.await.expect("joined").expect_status(200).text(), "back");
    let received = origin.received();
    assert_eq!(received.len(), 41);
    assert_eq!(received.iter().filter(|one| one.body.content == b"once").count(), 1);
    let line = edge.log().line_with("\"path\":\"/pay\"").await;
    assert!(line["waited_ms"].is_number(), "{line}");
    edge.counted(PARKED, 0).await;
    assert_eq!(edge.metrics().await.get("portcullis_upstream_parked_total{upstream=\"app\"}"), 41);
}

#[tokio::test]
async fn places_are_bounded_and_those_of_clients_that_leave_are_free() {
    let (edge, address) = away("{ requests_max = 2 }").await;
    let client = edge.http();
    let waiting = gets(&client, 2);
    edge.counted(PARKED, 2).await;
    let refused = client.get("/third").send().await.expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.edge_code(), "parking_full");
    waiting.into_iter().for_each(|task| task.abort());
    edge.counted(PARKED, 0).await;
    let waiting = gets(&client, 2);
    edge.counted(PARKED, 2).await;
    let _origin = Origin::start_at(address).await.always(ok("back"));
    for answer in waiting {
        let _ = answer.await.expect("joined").expect_status(200);
    }
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let (edge, _) = away("{ timeout = \"300ms\" }").await;
    let refused = edge.http().get("/x").send().await.expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.edge_code(), "upstream_not_back");
    assert_eq!(edge.log().line_with("\"path\":\"/x\"").await["code"], "upstream_not_back");
}

#[tokio::test]
async fn an_upstream_that_was_never_there_is_not_waited_for() {
    let origin = Origin::start().await;
    let config = forwarding_to(&origin.endpoint()).replace("[[route]]", "park = true\n[[route]]");
    drop(origin);
    let edge = Edge::start(&config).await;
    assert_eq!(edge.http().get("/").send().await.expect_status(502).edge_code(), "upstream_connect");
    edge.counted("portcullis_upstream_parked_total{upstream=\"app\"}", 0).await;
}

#[tokio::test]
async fn what_can_not_be_held_does_not_wait() {
    let (edge, _) = away("{ bytes_max = \"100B\" }").await;
    let client = edge.http();
    let large = client.call("PUT", "/large").body(vec![b'x'; 65 * 1024]).send().await;
    assert_eq!(large.expect_status(502).edge_code(), "upstream_connect", "longer than is held");
    let (call, upload) = client.call("PUT", "/streamed").upload();
    let (streamed, ()) = tokio::join!(call.send(), async { upload.send("piece") });
    assert_eq!(streamed.expect_status(502).edge_code(), "upstream_connect", "nobody knows how long");
    let many = client.call("PUT", "/many").body(vec![b'x'; 101]).send().await;
    assert_eq!(many.expect_status(503).edge_code(), "parking_full", "more bytes than may wait");
}

/// The only instance says that it stops, and is still there: nothing is sent to it any more.
#[tokio::test]
async fn an_instance_that_stops_is_left_alone_until_it_is_ready_again() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    stream.snapshot("1", &[]).await;
    stream.tell("draining", None, json!({})).await;
    linked.edge.counted_sum("portcullis_link_draining", 1).await;
    let post = tokio::spawn(linked.edge.http().post("/pay").body("once").send());
    linked.edge.counted(PARKED, 1).await;
    assert!(linked.origin.is_quiet(), "nothing was sent");
    stream.tell("ready", None, json!({})).await;
    let since = Instant::now();
    loop {
        let exchange = linked.origin.exchange().await;
        if exchange.head().target() == "/pay" {
            exchange.reply_text("paid").await;
            break;
        }
    }
    assert_eq!(post.await.expect("joined").expect_status(200).text(), "paid");
    assert!(since.elapsed() < Duration::from_secs(10));
}

/// The process is there, says so again and again, and will not get well: waiting for it would never end.
#[tokio::test]
async fn probes_that_fail_for_good_end_the_waiting_whatever_the_link_tells() {
    let keys = "park = { expected_for = \"300ms\" }\n\
        health = { path = \"/healthz\", every = \"500ms\", timeout = \"500ms\", fall = 1, status = [204] }\n\
        connect_timeout = \"2s\"";
    let Linked { edge, mut origin, key: _key } = Linked::start_with_keys(KeysFrom::File, keys).await;
    let mut stream = None;
    let answering = async {
        loop {
            let exchange = origin.exchange().await;
            if exchange.head().target() == serve::contract::link::PATH {
                let mut opened = Linked::opened(exchange).await;
                opened.snapshot("1", &[]).await;
                opened.tell("ready", None, json!({})).await;
                stream = Some(opened);
            } else if let Some(opened) = &mut stream {
                // More often than an application would.
                opened.tell("heartbeat", None, json!({})).await;
                exchange.reply_text("not well").await;
            } else {
                exchange.reply_text("not well").await;
            }
        }
    };
    let client = edge.http();
    let asking = async {
        edge.counted_sum("portcullis_link_up", 1).await;
        edge.counted_sum("portcullis_endpoint_up", 0).await;
        until("an answer", async || client.get("/work").send().await.status == 200).await;
        // And from then on at once.
        let since = Instant::now();
        for _ in 0..5 {
            assert_eq!(client.get("/work").send().await.expect_status(200).text(), "not well");
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
        assert_eq!(edge.metrics().await.sum("portcullis_link_up"), 1, "the link was there all the time");
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}
