//! Metrics: the page is well-formed, and its counters count.

use portcullis_tests::certs::{Authority, trusting_file};
use portcullis_tests::client::Client;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::raw::{Raw, talk};

fn requests(protocol: &str, status: &str) -> String {
    format!("portcullis_http_requests_total{{protocol=\"{protocol}\",status=\"{status}\"}}")
}

#[tokio::test]
async fn before_the_first_request_all_is_zero_and_the_process_says_who_it_is() {
    let edge = Edge::start(&forwarding_to("127.0.0.1:9")).await;
    let metrics = edge.metrics().await;
    assert_eq!(metrics.get(&format!("portcullis_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1);
    assert!(metrics.get("process_start_time_seconds") > 1_700_000_000);
    assert_eq!(metrics.get("portcullis_worker_threads"), 1);
    for start in ["portcullis_http", "portcullis_connections", "portcullis_protections", "portcullis_upstream"] {
        assert_eq!(metrics.sum(start), 0, "{start}");
    }
    for sample in [
        &requests("http/1.1", "2xx"),
        "portcullis_connections_accepted_total",
        "portcullis_connections_open",
        "portcullis_connections_refused_total{reason=\"per_client\"}",
        "portcullis_protections_total{reason=\"rapid_reset\"}",
        "portcullis_upstream_connections_total{upstream=\"app\"}",
        "portcullis_upstream_failures_total{upstream=\"app\",reason=\"connect\"}",
    ] {
        assert!(metrics.has(sample), "{sample} is there from the beginning");
    }
    // The operator's own listener is not counted: scrapes would be most of a quiet server's requests.
    assert_eq!(edge.metrics().await.get("portcullis_connections_accepted_total"), 0);
    let _ = edge.admin().post("/metrics").send().await.expect_status(405);
}

#[tokio::test]
async fn requests_connections_and_bytes_are_counted() {
    let origin = Origin::start().await.always(ok("0123456789"));
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let mut client = Raw::connect(edge.address("http")).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut answered = 0;
    for _ in 0..3 {
        client.send(request).await;
        let head = client.read_head().await;
        answered += head.raw.len() + client.read_body(&head).await.content.len();
    }
    let metrics = edge.metrics().await;
    assert_eq!(metrics.get(&requests("http/1.1", "2xx")), 3);
    assert_eq!(metrics.sum("portcullis_http_requests_total"), 3);
    assert_eq!(metrics.get("portcullis_connections_accepted_total"), 1);
    assert_eq!(metrics.get("portcullis_connections_open"), 1);
    assert_eq!(metrics.get("portcullis_received_bytes_total"), 3 * request.len() as u64);
    assert_eq!(metrics.get("portcullis_upstream_connections_total{upstream=\"app\"}"), 1);
    assert_eq!(metrics.get("portcullis_upstream_reuses_total{upstream=\"app\"}"), 2);
    // The bytes are counted when the kernel has taken them, and the client may be faster than that.
    edge.counted("portcullis_sent_bytes_total", answered as u64).await;
    client.reset();
    edge.counted("portcullis_connections_open", 0).await;

    let old = talk(edge.address("http"), "GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 ") || old.starts_with("HTTP/1.1 200 "), "{old}");
    assert_eq!(edge.metrics().await.get(&requests("http/1.0", "2xx")), 1);
}

/// Bytes that are no request are answered and logged, so they are counted too.
#[tokio::test]
async fn what_is_no_request_is_counted_as_one() {
    let edge = Edge::start(&forwarding_to("127.0.0.1:9")).await;
    let answer = talk(edge.address("http"), "no HTTP\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    edge.counted(&requests("http/1.1", "4xx"), 1).await;
    assert_eq!(edge.metrics().await.sum("portcullis_http_requests_total"), 1);
}

#[tokio::test]
async fn requests_over_http2_are_counted_as_such() {
    let edge = Edge::start(
        r#"
        [listener.https]
        address = "127.0.0.1:0"

        [site.main]
        tls = "self-signed"

        [[route]]
        match = "/**"
        auth = "public"
        redirect = { to = "/elsewhere", status = 302 }
        "#,
    )
    .await;
    let certificate = edge.development_certificate("main");
    let client = Client::https(edge.address("https"), trusting_file(&certificate)).http2();
    let _ = client.get("/").send().await.expect_status(302);
    let _ = Client::https(edge.address("https"), Authority::new().trusted()).try_connect().await.is_err();
    edge.counted("portcullis_connections_refused_total{reason=\"tls_handshake\"}", 1).await;
    assert_eq!(edge.metrics().await.get(&requests("h2", "3xx")), 1);
}

#[tokio::test]
async fn errors_of_the_edge_and_failures_of_the_upstream_are_counted_by_their_causes() {
    let dead = Origin::start().await.address();
    let edge = Edge::start(&forwarding_to(&dead.to_string())).await;
    let answer = edge.http().get("/").send().await.expect_status(502);
    let code = format!("portcullis_http_errors_total{{code=\"{}\"}}", answer.edge_code());
    let metrics = edge.metrics().await;
    assert_eq!(metrics.get(&code), 1);
    assert_eq!(metrics.get(&requests("http/1.1", "5xx")), 1);
    assert_eq!(metrics.get("portcullis_upstream_failures_total{upstream=\"app\",reason=\"connect\"}"), 1);
    assert_eq!(metrics.sum("portcullis_upstream_failures_total"), 1);
}

#[tokio::test]
async fn what_an_upstream_answers_wrongly_is_a_failure_of_its_own() {
    let origin = Origin::start().await.always("no HTTP at all\r\n\r\n");
    let edge = Edge::start(&forwarding_to(&origin.endpoint())).await;
    let _ = edge.http().post("/").body("x").send().await.expect_status(502);
    let metrics = edge.metrics().await;
    assert_eq!(metrics.get("portcullis_upstream_failures_total{upstream=\"app\",reason=\"malformed\"}"), 1);
    assert_eq!(metrics.get("portcullis_upstream_connections_total{upstream=\"app\"}"), 1);
}

#[tokio::test]
async fn what_the_server_puts_an_end_to_is_counted_by_its_reason() {
    let config = forwarding_to("127.0.0.1:9")
        .replace("address = \"127.0.0.1:0\"", "address = \"127.0.0.1:0\"\nheader_timeout = \"300ms\"");
    let edge = Edge::start(&config).await;
    let slow = talk(edge.address("http"), "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    edge.counted("portcullis_protections_total{reason=\"slow_head\"}", 1).await;
    let garbage = talk(edge.address("http"), "\u{1}\u{2}\u{3}\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    edge.counted("portcullis_protections_total{reason=\"malformed\"}", 1).await;
}

#[tokio::test]
async fn a_reload_forgets_the_upstreams_that_are_gone_and_keeps_the_counts_of_the_others() {
    let origin = Origin::start().await.always(ok("ok"));
    let config = forwarding_to(&origin.endpoint());
    let more = "\n[[route]]\nmatch = \"/old/**\"\nauth = \"public\"\nforward = \"old\"\n\
                [upstream.old]\nendpoints = [\"127.0.0.1:9\"]\n";
    let edge = Edge::start(&format!("{config}{more}")).await;
    let _ = edge.http().get("/").send().await.expect_status(200);
    assert!(edge.metrics().await.has("portcullis_upstream_connections_total{upstream=\"old\"}"));
    edge.reload(&config).await.expect("a good configuration");
    let _ = edge.http().get("/").send().await.expect_status(200);
    let metrics = edge.metrics().await;
    assert!(!metrics.has("portcullis_upstream_connections_total{upstream=\"old\"}"));
    let connects = metrics.get("portcullis_upstream_connections_total{upstream=\"app\"}");
    let reuses = metrics.get("portcullis_upstream_reuses_total{upstream=\"app\"}");
    assert_eq!(connects + reuses, 2);
}
