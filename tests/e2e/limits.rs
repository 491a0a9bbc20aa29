//! What a client may send, how much of it and how slowly.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{Raw, talk};

fn limited(endpoint: &str, listener: &str, route: &str) -> String {
    let config =
        forwarding_to(endpoint).replace("address = \"127.0.0.1:0\"", &format!("address = \"127.0.0.1:0\"\n{listener}"));
    format!("{config}\n{route}\n")
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_unread() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&limited(&origin.endpoint(), "", "body_bytes_max = \"1KiB\"")).await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n";
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(request).await;
    assert_eq!(client.read_head().await.status(), 413);
    assert!(origin.is_quiet());
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_at_the_limit() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&limited(&origin.endpoint(), "", "body_bytes_max = \"1KiB\"")).await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send(vec![b'x'; 600]);
    let (answer, ()) = tokio::join!(call.send(), async {
        let exchange = origin.exchange().await;
        upload.send(vec![b'x'; 600]);
        // The upstream must never see the end of a body that was cut.
        let seen = exchange.into_raw().read_to_close().await;
        assert!(!seen.ends_with("0\r\n\r\n"), "{seen}");
    });
    assert_eq!(answer.expect_status(413).edge_code(), "body_too_large");
}

#[tokio::test]
async fn a_body_at_the_limit_passes() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&limited(&origin.endpoint(), "", "body_bytes_max = \"1KiB\"")).await;
    let _ = edge.http().post("/").body(vec![b'x'; 1024]).send().await.expect_status(200);
    assert_eq!(origin.last().body.content.len(), 1024);
}

#[tokio::test]
async fn a_target_that_is_too_long_is_414() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&limited(&origin.endpoint(), "uri_bytes_max = \"100B\"", "")).await;
    let fits = format!("/{}", "a".repeat(99));
    let _ = edge.http().get(&fits).send().await.expect_status(200);
    let answer = edge.http().get(&format!("{fits}b")).send().await.expect_status(414);
    assert_eq!(answer.edge_code(), "uri_too_long");
}

#[tokio::test]
async fn heads_that_are_too_large_are_431() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge =
        Edge::start(&limited(&origin.endpoint(), "header_bytes_max = \"8KiB\"\nheader_count_max = 20", "")).await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(9000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: 1\r\n".repeat(30));
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Endless: {}", "x".repeat(200_000));
    for request in [large, many, endless] {
        let answer = talk(edge.address("http"), &request).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{} bytes: {answer}", request.len());
    }
    assert!(origin.received().is_empty());
}

#[tokio::test]
async fn a_head_that_trickles_is_408_and_the_connection_closes() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&limited(&origin.endpoint(), "header_timeout = \"300ms\"", "")).await;
    let answer = talk(edge.address("http"), "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&limited(&origin.endpoint(), "idle_timeout = \"300ms\"", "")).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.read_head().await;
    assert_eq!(client.read_body(&head).await.content, b"ok");
    assert_eq!(client.read_to_close().await, "");
}

#[tokio::test]
async fn a_body_that_stops_is_408() {
    let mut origin = Origin::start().await;
    let edge = Edge::start(&limited(&origin.endpoint(), "", "progress_timeout = \"300ms\"")).await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this").await;
    let exchange = origin.exchange().await;
    assert_eq!(client.read_head().await.status(), 408);
    drop(exchange);
}

#[tokio::test]
async fn a_long_upload_may_take_longer_than_any_single_limit() {
    let mut origin = Origin::start().await;
    let route = "progress_timeout = \"2s\"\nresponse_timeout = \"2s\"";
    let edge = Edge::start(&limited(&origin.endpoint(), "", route)).await;
    let (call, upload) = edge.http().post("/").upload();
    upload.send("first ");
    let (answer, ()) = tokio::join!(call.send(), async {
        let mut exchange = origin.exchange().await;
        upload.send("second");
        drop(upload);
        assert_eq!(exchange.read_body().await.content, b"first second");
        exchange.reply_text("all of it").await;
    });
    assert_eq!(answer.expect_status(200).text(), "all of it");
}
