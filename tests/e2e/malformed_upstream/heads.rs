//! Heads that are refused as a whole (RFC 9112 sections 4, 5 and 6).

use super::{Row, Seen, are_survived, row};

const STATUS_LINES: &[(&str, &str)] = &[
    ("words", "garbage"),
    ("an empty line", ""),
    ("no version", "200 OK"),
    ("another protocol", "ICY 200 OK"),
    ("another protocol of the same length", "RTSP/1.0 200 OK"),
    ("lower case", "http/1.1 200 OK"),
    ("HTTP/2.0", "HTTP/2.0 200 OK"),
    ("HTTP/0.9", "HTTP/0.9 200 OK"),
    ("HTTP/1.10", "HTTP/1.10 200 OK"),
    ("HTTP/1", "HTTP/1 200 OK"),
    ("a status of letters", "HTTP/1.1 abc"),
    ("a status of two digits", "HTTP/1.1 20 OK"),
    ("a status of four digits", "HTTP/1.1 2000 OK"),
    ("a status below 100", "HTTP/1.1 099 OK"),
    ("a signed status", "HTTP/1.1 +20 OK"),
    ("a negative status", "HTTP/1.1 -20 OK"),
    ("a hexadecimal status", "HTTP/1.1 0xc OK"),
    ("no status", "HTTP/1.1 "),
    ("no status and no space", "HTTP/1.1"),
    ("two spaces before the status", "HTTP/1.1  200 OK"),
    ("a tab before the status", "HTTP/1.1\t200 OK"),
    ("a space before the version", " HTTP/1.1 200 OK"),
    ("a comma behind the status", "HTTP/1.1 200, OK"),
    ("a zero byte in the reason", "HTTP/1.1 200 O\0K"),
    ("DEL in the reason", "HTTP/1.1 200 O\u{7f}K"),
    ("a carriage return in the reason", "HTTP/1.1 200 O\rK"),
    ("a request", "GET / HTTP/1.1"),
];

/// Fields of a 200 whose body, for who would read it, is `hello`.
const FIELDS: &[(&str, &str)] = &[
    ("a bare line feed behind a field", "X-Any: y\nContent-Length: 5"),
    ("a bare carriage return in a value", "X-Any: one\rtwo\r\nContent-Length: 5"),
    ("two carriage returns", "X-Any: y\r\r\nContent-Length: 5"),
    ("a space before the colon", "X-Any : y\r\nContent-Length: 5"),
    ("a tab before the colon", "X-Any\t: y\r\nContent-Length: 5"),
    ("a space before the colon of the length", "Content-Length : 5"),
    ("a folded value", "X-Any: one\r\n two\r\nContent-Length: 5"),
    ("a value folded with a tab", "X-Any: one\r\n\ttwo\r\nContent-Length: 5"),
    ("a folded first field", " X-Any: one\r\nContent-Length: 5"),
    ("a zero byte in a value", "X-Any: one\0two\r\nContent-Length: 5"),
    ("a zero byte in a name", "X\0Any: y\r\nContent-Length: 5"),
    ("DEL in a value", "X-Any: one\u{7f}two\r\nContent-Length: 5"),
    ("an escape in a value", "X-Any: \u{1b}[2J\r\nContent-Length: 5"),
    ("a space inside a name", "X Any: y\r\nContent-Length: 5"),
    ("no name", ": y\r\nContent-Length: 5"),
    ("no colon", "nothing\r\nContent-Length: 5"),
    ("a length before chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
    ("a length behind chunks", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    ("two lengths that differ", "Content-Length: 5\r\nContent-Length: 4"),
    ("a list of lengths that differ", "Content-Length: 5, 4"),
    ("a signed length", "Content-Length: +5"),
    ("a negative length", "Content-Length: -5"),
    ("a hexadecimal length", "Content-Length: 0x5"),
    ("an empty length", "Content-Length:"),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551616"),
    ("a word for a length", "Content-Length: five"),
    ("gzip alone", "Transfer-Encoding: gzip"),
    ("gzip and chunked", "Transfer-Encoding: gzip, chunked"),
    ("chunked is not the last", "Transfer-Encoding: chunked, gzip"),
    ("chunked twice", "Transfer-Encoding: chunked, chunked"),
    ("chunked in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ("xchunked", "Transfer-Encoding: xchunked"),
    ("no coding", "Transfer-Encoding:"),
    ("a vertical tab before the coding", "Transfer-Encoding: \u{b}chunked"),
];

#[tokio::test]
async fn odd_status_lines_are_502() {
    let answer = |(name, line): &(&'static str, &str)| {
        row(name, format!("{line}\r\nContent-Length: 5\r\n\r\nhello"), Seen::Malformed)
    };
    are_survived(STATUS_LINES.iter().map(answer).collect()).await;
}

#[tokio::test]
async fn odd_fields_are_502() {
    let answer = |(name, fields): &(&'static str, &str)| {
        row(name, format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello"), Seen::Malformed)
    };
    are_survived(FIELDS.iter().map(answer).collect()).await;
}

#[tokio::test]
async fn odd_line_ends_are_502() {
    let table: Vec<Row> = vec![
        row("bare line feeds only", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", Seen::Malformed),
        row("a bare line feed behind the status", "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", Seen::Malformed),
        row("a bare line feed as the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello", Seen::Malformed),
        row("bare carriage returns only", "HTTP/1.1 200 OK\rContent-Length: 5\r\rhello", Seen::Malformed).and_the_end(),
        row(
            "chunks in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            Seen::Malformed,
        ),
    ];
    are_survived(table).await;
}

/// Without limits of its own the edge would keep whatever an upstream sends.
#[tokio::test]
async fn heads_beyond_any_measure_are_502() {
    let large =
        |bytes: usize| format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\nContent-Length: 5\r\n\r\nhello", "x".repeat(bytes));
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nhello", "X-Many: 1\r\n".repeat(10_000));
    let table = vec![
        row("a field of 2 MiB", large(2 << 20), Seen::Malformed),
        row("10,000 fields", many, Seen::Malformed),
        row("a reason of 2 MiB", format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(2 << 20)), Seen::Malformed),
        row("a head without an end", format!("HTTP/1.1 200 OK\r\nX-Endless: {}", "x".repeat(2 << 20)), Seen::Malformed),
    ];
    are_survived(table).await;
}
