//! Bodies that end otherwise than their heads announce (RFC 9112 sections 6.3 and 7.1).

use super::{Row, Seen, are_survived, row};

/// Chunks of a 200.
const CHUNKS: &[(&str, &str)] = &[
    ("a size that is no number", "zz\r\nhello\r\n0\r\n\r\n"),
    ("no size", "\r\nhello\r\n0\r\n\r\n"),
    ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
    ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
    ("a size in 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("a space before the size", " 5\r\nhello\r\n0\r\n\r\n"),
    ("17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a chunk longer than its size", "3\r\nhello\r\n0\r\n\r\n"),
    ("no line end behind a chunk", "5\r\nhello0\r\n\r\n"),
    ("a bare line feed behind a chunk", "5\r\nhello\n0\r\n\r\n"),
    ("a bare line feed behind the size", "5\nhello\r\n0\r\n\r\n"),
    ("a bare carriage return behind the size", "5\rhello\r\n0\r\n\r\n"),
    ("a bare line feed behind the last size", "5\r\nhello\r\n0\n\r\n"),
    ("a line feed inside an extension", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
    ("a trailer without a colon", "5\r\nhello\r\n0\r\nnothing\r\n\r\n"),
    ("a space before the colon of a trailer", "5\r\nhello\r\n0\r\nX-Any : y\r\n\r\n"),
    ("a folded trailer", "5\r\nhello\r\n0\r\nX-Any: one\r\n two\r\n\r\n"),
    ("a zero byte in a trailer", "5\r\nhello\r\n0\r\nX-Any: \0\r\n\r\n"),
    ("a bare line feed behind a trailer", "5\r\nhello\r\n0\r\nX-Any: y\n\r\n"),
];

#[tokio::test]
async fn broken_chunks_break_the_answer_off() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = |(name, chunks): &(&'static str, &str)| row(name, format!("{chunked}{chunks}"), Seen::Broken);
    let mut table: Vec<Row> = CHUNKS.iter().map(answer).collect();
    let long = "x".repeat(20_000);
    table.push(row("an extension of 20,000 bytes", format!("{chunked}5;{long}\r\nhello\r\n0\r\n\r\n"), Seen::Broken));
    let trailers = "X-Many: 1\r\n".repeat(10_000);
    table.push(row("10,000 trailers", format!("{chunked}5\r\nhello\r\n0\r\n{trailers}\r\n"), Seen::Broken));
    are_survived(table).await;
}

#[tokio::test]
async fn bodies_that_end_early_break_the_answer_off() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table = vec![
        row("fewer bytes than announced", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", Seen::Broken),
        row("no byte of those announced", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", Seen::Broken),
        row("the end inside a chunk", format!("{chunked}a\r\nhello"), Seen::Broken),
        row("the end behind a chunk", format!("{chunked}5\r\nhello\r\n"), Seen::Broken),
        row("the end inside a size", format!("{chunked}5\r\nhello\r\n1"), Seen::Broken),
        row("the end behind the last size", format!("{chunked}5\r\nhello\r\n0\r\n"), Seen::Broken),
        row("the end inside a trailer", format!("{chunked}5\r\nhello\r\n0\r\nX-Any: y"), Seen::Broken),
    ];
    are_survived(table.into_iter().map(Row::and_the_end).collect()).await;
}

/// The answer itself is whole and may pass; what stands behind it belongs to nobody.
#[tokio::test]
async fn bytes_behind_an_answer_end_its_connection() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let hello = || Seen::Whole(200, "hello");
    let table = vec![
        row("more bytes than announced", format!("{sized}more"), hello()),
        row("a line end", format!("{sized}\r\n"), hello()),
        row("a second answer", format!("{sized}{response}"), hello()),
        row("bytes behind the last chunk", format!("{chunked}more"), hello()),
        row("a second answer behind the last chunk", format!("{chunked}{response}"), hello()),
        row("a body of a 204", format!("HTTP/1.1 204 No Content\r\n\r\n{response}"), Seen::Whole(204, "")),
        // It may send the body when the next request is on its way already.
        row(
            "a 204 that announces a body",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            Seen::Whole(204, ""),
        ),
        row(
            "a 204 that announces chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            Seen::Whole(204, ""),
        ),
        row(
            "a body of a 304",
            format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello{response}"),
            Seen::Whole(304, ""),
        ),
        row("a body of a HEAD", sized, Seen::Whole(200, "")).asked_with("HEAD"),
        row("chunks of a HEAD", chunked, Seen::Whole(200, "")).asked_with("HEAD"),
        row(
            "a second answer to a HEAD",
            format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{response}"),
            Seen::Whole(200, ""),
        )
        .asked_with("HEAD"),
    ];
    are_survived(table).await;
}

/// HTTP/1.0 and answers without a length: whole, and their connections end with them.
#[tokio::test]
async fn answers_of_old_servers_pass() {
    let hello = || Seen::Whole(200, "hello");
    let table = vec![
        row("HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", hello()),
        row("HTTP/1.0 without a length", "HTTP/1.0 200 OK\r\n\r\nhello", hello()).and_the_end(),
        row("HTTP/1.1 without a length", "HTTP/1.1 200 OK\r\n\r\nhello", hello()).and_the_end(),
        row("no reason", "HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", hello()),
        row(
            "a reason beyond ASCII",
            "HTTP/1.1 200 D'accord \u{e9}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            hello(),
        ),
    ];
    are_survived(table).await;
}
