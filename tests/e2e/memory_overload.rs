//! What is given up when memory runs out, step by step. The bound is chosen so that this process is at the step.

use portcullis_tests::client::Client;
use portcullis_tests::edge::Edge;
use portcullis_tests::http2::{Ending, Http2};

/// RFC 9113 section 7.
const REFUSED_STREAM: u32 = 7;

/// An edge that takes these steps at these hundredths of a memory that is used to a few hundredths.
async fn edge(close: u32, requests: u32, connections: u32) -> Edge {
    let edge = Edge::start(&format!(
        "[server]\noverload = {{ memory_max = \"1GiB\", close_connections_at = {close}, refuse_requests_at = {requests}, \
         refuse_connections_at = {connections} }}\n[listener.http]\naddress = \"127.0.0.1:0\"\nh2c = true\n\
         [[route]]\nmatch = \"/**\"\nauth = \"public\"\nrespond = {{ body = \"ok\" }}\n"
    ))
    .await;
    let level = [close, requests, connections].iter().filter(|&&at| at == 1).count() as u64;
    edge.counted("portcullis_overload_level", level).await;
    edge
}

#[tokio::test]
async fn first_connections_end_after_their_answer() {
    let edge = edge(1, 99, 100).await;
    let answer = edge.http().get("/").send().await.expect_status(200);
    assert_eq!(answer.header("connection"), Some("close"));
    let answer = edge.http().http2().get("/").send().await.expect_status(200);
    assert_eq!(answer.header("connection"), None, "HTTP/2 has no such field");
    let metrics = edge.metrics().await;
    assert!(metrics.get("portcullis_overload_memory_bytes") > 1 << 20);
    assert_eq!(metrics.get("portcullis_overload_memory_max_bytes"), 1 << 30);
}

#[tokio::test]
async fn then_requests_are_refused() {
    let edge = edge(1, 1, 100).await;
    let answer = edge.http().get("/").send().await.expect_status(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.edge_code(), "overloaded");
    let _ = edge.log().line_with("\"code\":\"overloaded\"").await;
}

/// RFC 9113 section 8.7: nothing was done, so that a client may send it again, a POST too.
#[tokio::test]
async fn streams_of_http2_are_refused_so_that_they_may_be_sent_again() {
    let edge = edge(1, 1, 100).await;
    let mut client = Http2::open(&edge.http()).await;
    for stream in [1, 3] {
        client.get(stream, "/").await;
        let answer = client.answer(stream).await;
        assert_eq!((answer.status, answer.ending), (None, Ending::Reset(REFUSED_STREAM)), "the connection stays");
    }
    edge.counted("portcullis_streams_refused_total", 2).await;
    assert_eq!(edge.metrics().await.sum("portcullis_http_requests_total"), 0, "they were no requests");
}

#[tokio::test]
async fn then_connections_too_but_not_the_operators() {
    let edge = edge(1, 1, 1).await;
    let client: Client = edge.http();
    let mut raw = client.raw().await;
    assert_eq!(raw.read_to_close().await, "");
    edge.counted("portcullis_connections_refused_total{reason=\"overload\"}", 1).await;
    let _ = edge.admin().get("/livez").send().await.expect_status(200);
}

#[tokio::test]
async fn nothing_is_given_up_where_there_is_enough() {
    let edge = edge(98, 99, 100).await;
    let answer = edge.http().get("/").send().await.expect_status(200);
    assert_eq!(answer.header("connection"), None);
}
