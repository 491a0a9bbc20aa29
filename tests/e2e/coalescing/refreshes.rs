//! Fifty clients with one token: one call, one successor, nobody logged out.

use super::{BODY, COALESCED, edge};
use portcullis_tests::client::Client;
use portcullis_tests::connection::Connection;
use portcullis_tests::deadline::within;
use portcullis_tests::origin::Origin;
use portcullis_tests::stack::Stack;
use serde_json::json;
use std::collections::BTreeSet;

const CLIENTS: usize = 50;
const ROUNDS: usize = 200;

/// Half over HTTP/1.1, a connection each; half over HTTP/2, five streams a connection.
async fn connections(http1: &Client) -> Vec<(Client, Connection)> {
    let http2 = http1.clone().http2();
    let mut connections = Vec::new();
    for _ in 0..CLIENTS / 2 {
        connections.push((http1.clone(), http1.connect().await));
    }
    for _ in 0..CLIENTS / 10 {
        let connection = http2.connect().await;
        connections.extend((0..5).map(|_| (http2.clone(), connection.shared())));
    }
    connections
}

#[tokio::test]
async fn fifty_that_arrive_together_are_one_call_two_hundred_times() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    let mut connections = connections(&edge.http()).await;
    for round in 1..=ROUNDS {
        let body = format!("{{\"refresh\":\"token {round}\"}}");
        let requests: Vec<_> = connections
            .drain(..)
            .map(|(client, mut connection)| {
                let call = client.post("/refresh").header("content-type", "application/json").body(body.clone());
                tokio::spawn(async move { (call.send_on(&mut connection).await, client, connection) })
            })
            .collect();
        let mut exchange = origin.exchange().await;
        let waiting = CLIENTS - 1;
        edge.counted(COALESCED, (waiting * round) as u64).await;
        assert!(origin.is_quiet(), "round {round}: a second call");
        assert_eq!(exchange.read_body().await.content, body.as_bytes());
        let leader = exchange.head().field("x-request-id").expect("an id").to_owned();
        let answer = format!("successor {round}");
        exchange
            .reply(format!(
                "HTTP/1.1 200 OK\r\nSet-Cookie: a={round}\r\nSet-Cookie: b=2\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            ))
            .await;
        let mut ids = BTreeSet::new();
        for request in requests {
            let (got, client, connection) = within("an answer", request).await.expect("a client");
            assert_eq!((got.status.as_u16(), got.text()), (200, answer.as_str()));
            let cookies: Vec<_> = got.headers.get_all("set-cookie").iter().collect();
            assert_eq!(cookies, [format!("a={round}").as_str(), "b=2"]);
            ids.insert(got.header("x-request-id").expect("an id").to_owned());
            connections.push((client, connection));
        }
        assert_eq!(ids.len(), CLIENTS, "each has an id of its own");
        assert!(ids.contains(&leader), "the application knows the leader's");
        if round == 1 {
            let lines: Vec<_> = edge.log().text().lines().map(str::to_owned).collect();
            assert!(lines.len() <= CLIENTS);
            let other = ids.iter().find(|id| **id != leader).expect("another");
            let line = edge.log().line_with(&format!("\"request_id\":\"{other}\"")).await;
            assert_eq!((&line["coalesced"], &line["upstream"]), (&json!(leader), &json!("app")), "{line}");
            let line = edge.log().line_with(&format!("\"request_id\":\"{leader}\"")).await;
            assert_eq!((&line["coalesced"], &line["attempts"]), (&json!(null), &json!(1)), "{line}");
        }
    }
}

#[tokio::test]
async fn nothing_is_kept_for_who_comes_after_the_answer() {
    let mut origin = Origin::start().await;
    let edge = edge(&origin, "true").await;
    for answer in ["first", "second"] {
        let (got, ()) = tokio::join!(super::refresh(&edge).send(), async {
            let mut exchange = origin.exchange().await;
            assert_eq!(exchange.read_body().await.content, BODY.as_bytes());
            exchange.reply_text(answer).await;
        });
        assert_eq!(got.expect_status(200).text(), answer);
    }
    assert_eq!(edge.metrics().await.get(COALESCED), 0);
}

/// The whole product as it is shipped. Whether two requests meet is left to chance here, so the application's own word
/// about reuse is tested with it.
#[tokio::test]
async fn fifty_parallel_refreshes_have_one_successor_and_nobody_is_logged_out() {
    let stack = Stack::start().await;
    let user = stack.register("alice").await;
    let mut connections = connections(&stack.client()).await;
    let mut refresh = user.refresh;
    let mut access = user.access;
    for round in 1..=ROUNDS {
        let body = json!({ "refresh": refresh });
        let requests: Vec<_> = connections
            .drain(..)
            .map(|(client, mut connection)| {
                let call = client.post("/api/token/refresh/").json(&body);
                tokio::spawn(async move { (call.send_on(&mut connection).await, client, connection) })
            })
            .collect();
        let mut successors = BTreeSet::new();
        for request in requests {
            let (got, client, connection) = within("an answer", request).await.expect("a client");
            let pair = got.expect_status(200).json();
            successors.insert(pair["refresh"].as_str().expect("a refresh token").to_owned());
            pair["access"].as_str().expect("an access token").clone_into(&mut access);
            connections.push((client, connection));
        }
        assert_eq!(successors.len(), 1, "round {round}: {successors:?}");
        let successor = successors.pop_first().expect("one");
        assert_ne!(successor, refresh, "round {round}: it rotates");
        refresh = successor;
    }
    let _ = stack.client().get("/api/me/").bearer(&access).send().await.expect_status(200);
    let metrics = stack.edge.metrics().await;
    let coalesced = metrics.get(COALESCED);
    assert!(coalesced > 0, "{} requests and none met another", CLIENTS * ROUNDS);
}
