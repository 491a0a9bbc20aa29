//! One line a request, written when its answer has ended, and nothing secret in it.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::guarded::Guarded;
use portcullis_tests::origin::Origin;

#[tokio::test]
async fn a_line_tells_who_asked_for_what_and_how_it_went() {
    let origin = Origin::start().await.always(ok("hello"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let answer = edge.http().host("shop.example").get("/a?b=c").send().await.expect_status(200);
    let id = answer.header("x-request-id").expect("an id");
    let line = edge.log().line_with(id).await;
    for (field, value) in [
        ("method", "GET"),
        ("host", "shop.example"),
        ("path", "/a"),
        ("query", "b=c"),
        ("client", "127.0.0.1"),
        ("upstream", "app"),
        ("route", "/**"),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &5.into()), "{line}");
    assert_eq!(edge.log().text().lines().count(), 1);
}

#[tokio::test]
async fn a_line_waits_for_the_end_of_the_body() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let (mut answer, exchange) = tokio::join!(edge.http().get("/long").open(), async {
        let mut exchange = origin.exchange().await;
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ").await;
        exchange
    });
    assert_eq!(answer.read_until("half ").await, "half ");
    assert_eq!(edge.log().text(), "");
    exchange.reset();
    assert!(answer.collect().await.is_err());
    let line = edge.log().line_with("/long").await;
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &5.into()), "{line}");
    assert!(line["broke_off"].is_string(), "{line}");
}

#[tokio::test]
async fn an_error_of_the_edge_is_logged_with_its_code() {
    let dead = Origin::start().await.address();
    let edge = Edge::start(&forwarding_to(&dead.to_string())).await;
    let answer = edge.http().get("/").send().await.expect_status(502);
    let line = edge.log().line_with(answer.header("x-request-id").expect("an id")).await;
    assert_eq!(line["code"].as_str(), Some(answer.edge_code().as_str()), "{line}");
}

#[tokio::test]
async fn no_token_and_no_cookie_is_ever_written() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = guarded.token("alice");
    let client = guarded.edge.http();
    let cookie = format!("__Host-access={token}");
    for call in [
        client.get("/x?marker=1").bearer(&token),
        client.get("/cookie/x?marker=2").header("Cookie", &cookie),
        client.get(&format!("/query/x?marker=3&access_token={token}")),
        client.get(&format!("/x?marker=4&access_token={token}&token={token}")),
        client.get("/x?marker=5").bearer(&format!("{token}x")),
    ] {
        let _ = call.send().await;
    }
    for marker in 1..=5 {
        let _ = guarded.edge.log().line_with(&format!("marker={marker}")).await;
    }
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!guarded.edge.log().text().contains(signature), "{}", guarded.edge.log().text());
}
