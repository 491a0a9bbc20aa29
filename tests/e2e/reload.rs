//! A new configuration replaces the old one between two requests; a bad one does not.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::origin::Origin;

fn answering(text: &str) -> String {
    format!(
        "[listener.http]\naddress = \"127.0.0.1:0\"\n[[route]]\nmatch = \"/**\"\nauth = \"public\"\n\
         respond = {{ body = \"{text}\" }}\n"
    )
}

#[tokio::test]
async fn routes_change_on_open_connections_too() {
    let edge = Edge::start(&answering("old")).await;
    let client = edge.http();
    let mut kept = client.connect().await;
    assert_eq!(client.get("/").send_on(&mut kept).await.text(), "old");
    edge.reload(&answering("new")).await.expect("a good configuration");
    assert_eq!(client.get("/").send().await.text(), "new");
    assert_eq!(client.get("/").send_on(&mut kept).await.text(), "new", "one revision per request, not per connection");
}

#[tokio::test]
async fn a_bad_configuration_keeps_the_old_one_and_says_why() {
    let edge = Edge::start(&answering("old")).await;
    let bad = answering("new").replace("auth = \"public\"", "auth = \"publik\"\nbody_bytes_mx = 1");
    let mistakes = edge.reload(&bad).await.expect_err("two mistakes");
    assert!(mistakes.contains("publik") && mistakes.contains("body_bytes_mx"), "all mistakes at once: {mistakes}");
    assert_eq!(edge.http().get("/").send().await.text(), "old");
    edge.reload(&answering("newer")).await.expect("a good configuration");
    assert_eq!(edge.http().get("/").send().await.text(), "newer");
}

#[tokio::test]
async fn work_in_flight_ends_under_the_configuration_that_it_began_with() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (mut answer, mut exchange) = tokio::join!(edge.http().get("/").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ").await;
        exchange
    });
    assert_eq!(answer.read_until("half ").await, "half ");
    edge.reload(&answering("new")).await.expect("a good configuration");
    assert_eq!(edge.http().get("/").send().await.text(), "new");
    exchange.send("whole").await;
    assert_eq!(answer.collect().await.expect("the rest").text(), "whole");
}

#[tokio::test]
async fn a_changed_listener_needs_a_restart_and_is_said_so() {
    let edge = Edge::start(&answering("old")).await;
    let address = edge.address("http");
    let moved = answering("new").replace("[listener.http]", "[listener.other]");
    // Refused as a whole, or taken without the static half: either way the bound listener goes on.
    let _outcome = edge.reload(&moved).await;
    assert_eq!(edge.address("http"), address);
    let _ = edge.http().get("/").send().await.expect_status(200);
}
