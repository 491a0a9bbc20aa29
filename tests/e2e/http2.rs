//! HTTP/2 in the clear where a listener allows it, and what the operator learns of a flood of frames.

use portcullis_tests::edge::Edge;
use portcullis_tests::raw::Raw;

const CONFIG: &str = r#"
    [listener.http]
    address = "127.0.0.1:0"
    h2c = true

    [[route]]
    match = "/hello"
    auth = "public"
    respond = { body = "hello" }
"#;

#[tokio::test]
async fn both_versions_come_in_the_clear() {
    let edge = Edge::start(CONFIG).await;
    for client in [edge.http(), edge.http().http2()] {
        assert_eq!(client.get("/hello").send().await.expect_status(200).text(), "hello");
    }
    let metrics = edge.metrics().await;
    for protocol in ["http/1.1", "h2"] {
        let sample = format!("portcullis_http_requests_total{{protocol=\"{protocol}\",status=\"2xx\"}}");
        assert_eq!(metrics.get(&sample), 1);
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_cut_and_counted() {
    let edge = Edge::start(CONFIG).await;
    let mut raw = Raw::connect(edge.address("http")).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(settings);
    bytes.extend(ping.repeat(1100));
    raw.send(bytes).await;
    // GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 section 6.8); no stream was opened.
    raw.read_until(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]).await;
    raw.finish().await;
    raw.read_to_close().await;
    assert_eq!(edge.metrics().await.get("portcullis_protections_total{reason=\"control_frames\"}"), 1);
}
