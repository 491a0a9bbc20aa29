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

/// One request on a new connection from this address, and the connection, which stays open. `None`: it was closed.
async fn visit(edge: &Edge, from: &str) -> Option<Raw> {
    let mut client = Raw::connect_from(from.parse().expect("an address"), edge.address("http")).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.try_read_until(b"\r\n\r\nok").await?;
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
    Some(client)
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_others_have_their_own() {
    let origin = Origin::start().await.always(ok("ok"));
    let server = "[server]\nconnections_per_client_max = 2\ntrusted_proxies = [\"127.0.0.9\"]\n";
    let edge = Edge::start(&format!("{server}{}", forwarding_to(&origin.endpoint()))).await;
    let first = visit(&edge, "127.0.0.1").await.expect("the first");
    let _second = visit(&edge, "127.0.0.1").await.expect("the second");
    assert!(visit(&edge, "127.0.0.1").await.is_none(), "one too many");
    edge.counted("portcullis_connections_refused_total{reason=\"per_client\"}", 1).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(visit(&edge, "127.0.0.2").await.expect("another client"));
    }
    // A proxy's connections carry many clients.
    for _ in 0..4 {
        others.push(visit(&edge, "127.0.0.9").await.expect("a trusted proxy"));
    }
    drop(first);
    edge.counted("portcullis_connections_open", 7).await;
    assert!(visit(&edge, "127.0.0.1").await.is_some(), "there is room again");
}

#[tokio::test]
async fn clients_behind_a_load_balancer_are_counted_each() {
    let origin = Origin::start().await.always(ok("ok"));
    let listener = "proxy_protocol = \"required\"\nproxy_protocol_from = [\"127.0.0.1\"]";
    let config = limited(&origin.endpoint(), listener, "");
    let edge = Edge::start(&format!("[server]\nconnections_per_client_max = 1\n{config}")).await;
    let mut open = Vec::new();
    for (told, answered) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.9 1 80\r\n", true),
        ("PROXY TCP4 192.0.2.1 192.0.2.9 2 80\r\n", false),
        ("PROXY TCP4 192.0.2.2 192.0.2.9 1 80\r\n", true),
        // One network of 64 bits is one client.
        ("PROXY TCP6 2001:db8::1 2001:db8:1::1 1 80\r\n", true),
        ("PROXY TCP6 2001:db8::2 2001:db8:1::1 1 80\r\n", false),
        ("PROXY TCP6 2001:db8:0:1::1 2001:db8:1::1 1 80\r\n", true),
        // The load balancer's own.
        ("PROXY UNKNOWN\r\n", true),
        ("PROXY UNKNOWN\r\n", true),
    ] {
        let mut client = Raw::connect(edge.address("http")).await;
        client.send(format!("{told}GET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(client.try_read_until(b"\r\n\r\nok").await.is_some(), answered, "{told}");
        open.push(client);
    }
    edge.counted("portcullis_connections_refused_total{reason=\"per_client\"}", 2).await;
}

#[tokio::test]
async fn a_connection_beyond_all_slots_waits_for_one() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&format!("[server]\nconnections_max = 1\n{}", forwarding_to(&origin.endpoint()))).await;
    let first = visit(&edge, "127.0.0.1").await.expect("the first");
    let (second, ()) = tokio::join!(visit(&edge, "127.0.0.1"), async {
        edge.counted("portcullis_connections_waited_total", 1).await;
        drop(first);
    });
    assert!(second.is_some());
}

#[tokio::test]
async fn a_connection_has_so_many_requests_and_the_last_is_said_to_be_it() {
    let origin = Origin::start().await.always(ok("ok"));
    let edge = Edge::start(&limited(&origin.endpoint(), "requests_per_connection_max = 2", "")).await;
    let mut client = Raw::connect(edge.address("http")).await;
    for last in [false, true] {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let head = client.read_head().await;
        assert_eq!(head.field("connection") == Some("close"), last, "{}", head.raw);
        let _ = client.read_body(&head).await;
    }
    assert_eq!(client.read_to_close().await, "");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up() {
    let edge = Edge::start(
        r#"
        [listener.https]
        address = "127.0.0.1:0"
        handshake_timeout = "300ms"

        [site.main]
        tls = "self-signed"

        [[route]]
        match = "/**"
        auth = "public"
        respond = { body = "hello" }
        "#,
    )
    .await;
    assert_eq!(talk(edge.address("https"), b"\x16\x03\x01").await, "");
    edge.counted("portcullis_connections_refused_total{reason=\"tls_handshake_timeout\"}", 1).await;
}
