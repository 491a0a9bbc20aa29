//! Interim answers, and switches that nobody asked for (RFC 9110 section 15.2).

use super::{Seen, are_survived, row};

const HELLO: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";

#[tokio::test]
async fn interim_answers_before_the_final_one_are_none() {
    let hello = || Seen::Whole(200, "hello");
    let table = vec![
        row("100 that nobody waits for", format!("HTTP/1.1 100 Continue\r\n\r\n{HELLO}"), hello()),
        row("102", format!("HTTP/1.1 102 Processing\r\n\r\n{HELLO}"), hello()),
        row(
            "103 with fields",
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n{HELLO}"),
            hello(),
        ),
        row("three in a row", format!("{}{HELLO}", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3)), hello()),
        row("one that is not registered", format!("HTTP/1.1 199 Odd\r\n\r\n{HELLO}"), hello()),
    ];
    are_survived(table).await;
}

#[tokio::test]
async fn interim_answers_without_end_are_502() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n".repeat(10_000);
    let table = vec![
        row("10,000 times 100", "HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000), Seen::Malformed),
        row("10,000 times 103 before an answer", format!("{hints}{HELLO}"), Seen::Malformed),
    ];
    are_survived(table).await;
}

#[tokio::test]
async fn odd_interim_answers_are_502() {
    let table = vec![
        row(
            "101 unasked",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Seen::Malformed,
        ),
        row(
            "101 to HTTP/2",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
            Seen::Malformed,
        ),
        row("100 with a bare line feed", format!("HTTP/1.1 100 Continue\n\n{HELLO}"), Seen::Malformed),
        row(
            "100 with a space before a colon",
            format!("HTTP/1.1 100 Continue\r\nX-Any : y\r\n\r\n{HELLO}"),
            Seen::Malformed,
        ),
        row("garbage behind 100", "HTTP/1.1 100 Continue\r\n\r\ngarbage\r\n\r\n", Seen::Malformed),
    ];
    are_survived(table).await;
}
