//! Streams of the link that break off, stall, lose events or lie: no revocation is lost.

use portcullis_tests::deadline::within;
use portcullis_tests::linked::{KeysFrom, Linked, Stream, news, revoked};
use portcullis_tests::tokens::Token;
use serde_json::json;

/// Tokens with these ids.
fn tokens<const N: usize>(linked: &Linked, ids: [&str; N]) -> [String; N] {
    ids.map(|id| Token::good(&linked.key, "ann").claim("jti", json!(id)).sign(&linked.key))
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_resumed_after_the_last_id() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let asked = linked.asked().await;
    assert_eq!(asked.head().field("last-event-id"), None);
    let mut stream = Stream::answer(asked, &[7; 32]).await;
    stream.snapshot("5-a", &[]).await;
    let [a, b] = tokens(&linked, ["a", "b"]);
    stream.tell("revoke", Some("6-b"), news("jti", "a", "5-a")).await;
    linked.until("/require/x", &a, "token_revoked").await;
    stream.end().await;
    let asked = linked.asked().await;
    assert_eq!(asked.head().field("last-event-id"), Some("6-b"));
    assert_eq!(linked.verdict("/require/x", &b).await, "200", "a short break is no silence");
    let mut stream = Stream::answer(asked, &[7; 32]).await;
    stream.tell("hello", None, json!({})).await;
    stream.tell("revoke", Some("7-c"), news("jti", "b", "6-b")).await;
    stream.tell("ready", None, json!({})).await;
    linked.until("/require/x", &b, "token_revoked").await;
    assert_eq!(linked.verdict("/require/x", &a).await, "token_revoked", "what was known is kept");
}

#[tokio::test]
async fn gaps_and_reordering_lose_nothing_and_repetition_is_no_gap() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    stream.snapshot("1", &[]).await;
    let [a, b, c, free] = tokens(&linked, ["a", "b", "c", "free"]);
    linked.until("/require/x", &free, "200").await;
    // The same event twice.
    for _ in 0..2 {
        stream.tell("revoke", Some("2"), news("jti", "a", "1")).await;
    }
    linked.until("/require/x", &a, "token_revoked").await;
    assert_eq!(linked.verdict("/require/x", &free).await, "200");
    // The third comes before the second of two: it counts, and what is missing is asked for.
    stream.tell("revoke", Some("4"), news("jti", "c", "3")).await;
    let asked = linked.asked().await;
    assert_eq!(asked.head().field("last-event-id"), None, "a snapshot is asked for");
    assert_eq!(linked.verdict("/best-effort/x", &c).await, "token_revoked");
    assert_eq!(linked.verdict("/require/x", &free).await, "revocations_unavailable", "something is missing");
    let mut stream = Stream::answer(asked, &[7; 32]).await;
    stream.snapshot("4", &[revoked("jti", "a"), revoked("jti", "b"), revoked("jti", "c")]).await;
    linked.until("/require/x", &b, "token_revoked").await;
    linked.until("/require/x", &free, "200").await;
    for token in [&a, &c] {
        assert_eq!(linked.verdict("/require/x", token).await, "token_revoked");
    }
}

#[tokio::test]
async fn what_is_malformed_is_not_believed_any_more() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let [free] = tokens(&linked, ["free"]);
    for bad in [
        "event: revoke\ndata: {}\n\n".to_owned(),
        "event: revoke\ndata: {\"kind\":\"jti\",\"value\":\"\",\"until\":9000000000}\n\n".to_owned(),
        "event: revocations\ndata: [\n\n".to_owned(),
        format!("id: {}\n\n", "x".repeat(1000)),
        "data: x\n".repeat(200_000),
    ] {
        let mut stream = linked.open().await;
        stream.snapshot("1", &[]).await;
        linked.until("/require/x", &free, "200").await;
        stream.send(&bad).await;
        linked.until("/require/x", &free, "revocations_unavailable").await;
    }
    assert_eq!(linked.asked().await.head().field("last-event-id"), None);
}

#[tokio::test]
async fn who_does_not_hold_the_key_tells_nothing() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let [a] = tokens(&linked, ["a"]);
    let asked = linked.asked().await;
    let mut forged = Stream::answer(asked, &[8; 32]).await;
    forged.snapshot("1", &[revoked("jti", "a")]).await;
    let mut asked = linked.asked().await;
    asked.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n").await;
    asked.send("event: revocations\ndata: {\"entries\":[]}\n\n").await;
    let asked_again = linked.asked().await;
    assert_eq!(linked.verdict("/require/x", &a).await, "revocations_unavailable");
    assert_eq!(linked.verdict("/best-effort/x", &a).await, "200");
    let mut asked = asked_again;
    asked.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    let mut stream = linked.open().await;
    stream.snapshot("1", &[]).await;
    linked.until("/require/x", &a, "200").await;
}

/// Ten seconds of the clock: the limit is part of the contract.
#[tokio::test]
async fn a_paused_stream_is_believed_for_ten_seconds() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let [a] = tokens(&linked, ["a"]);
    let mut stream = linked.open().await;
    stream.snapshot("1", &[]).await;
    linked.until("/require/x", &a, "200").await;
    let paused = std::time::Instant::now();
    linked.until("/require/x", &a, "revocations_unavailable").await;
    let silent = paused.elapsed();
    assert!((9.0..12.0).contains(&silent.as_secs_f64()), "{silent:?}");
    assert_eq!(linked.verdict("/best-effort/x", &a).await, "200");
    let metrics = linked.edge.metrics().await;
    assert!(metrics.get("portcullis_link_stale_uses_total{upstream=\"app\"}") >= 1);
    assert!(metrics.get("portcullis_link_age_milliseconds{upstream=\"app\"}") >= 9000);
    // The silent stream is given up, and the next one resumes.
    let asked = within("another request", linked.asked()).await;
    assert_eq!(asked.head().field("last-event-id"), Some("1"));
    let mut stream = Stream::answer(asked, &[7; 32]).await;
    stream.tell("revoke", Some("2"), news("jti", "a", "1")).await;
    linked.until("/best-effort/x", &a, "token_revoked").await;
    let [b] = tokens(&linked, ["b"]);
    assert_eq!(linked.verdict("/require/x", &b).await, "revocations_unavailable", "not told everything yet");
    stream.tell("ready", None, json!({})).await;
    linked.until("/require/x", &b, "200").await;
}
