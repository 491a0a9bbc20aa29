//! Field lines and line ends (RFC 9112 sections 2.2 and 5): what is not exactly one is refused, never repaired.

use super::{HEAD_TOO_LARGE, MALFORMED, Refusal, are_refused, row, rows};

const LINE_ENDS: &[(&str, &str, &[Refusal])] = &[
    ("bare line feeds only", "GET / HTTP/1.1\nHost: a\n\n", MALFORMED),
    ("a bare line feed behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", MALFORMED),
    ("a bare line feed behind a field", "GET / HTTP/1.1\r\nHost: a\nX-Any: y\r\n\r\n", MALFORMED),
    ("a bare line feed behind the last field", "GET / HTTP/1.1\r\nHost: a\n\r\n", MALFORMED),
    ("a bare line feed as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", MALFORMED),
    ("a bare line feed inside a name", "GET / HTTP/1.1\r\nHost: a\r\nX-A\nny: y\r\n\r\n", MALFORMED),
    ("a bare line feed before the request line", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("bare carriage returns only", "GET / HTTP/1.1\rHost: a\r\r", MALFORMED),
    ("a bare carriage return behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", MALFORMED),
    ("a bare carriage return behind a field", "GET / HTTP/1.1\r\nHost: a\rX-Any: y\r\n\r\n", MALFORMED),
    ("a bare carriage return as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\rX", MALFORMED),
    ("two carriage returns before the line feed", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", MALFORMED),
    ("two carriage returns behind the request line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", MALFORMED),
    ("two carriage returns in the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", MALFORMED),
    ("a bare carriage return before the request line", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("a line feed before the carriage return", "GET / HTTP/1.1\n\rHost: a\n\r\n\r", MALFORMED),
];

/// One field line of an otherwise good GET.
const FIELDS: &[(&str, &str)] = &[
    ("a space before the colon", "X-Any : y"),
    ("a tab before the colon", "X-Any\t: y"),
    ("a space inside a name", "X Any: y"),
    ("a no-break space before the colon", "X-Any\u{a0}: y"),
    ("a folded value", "X-Any: one\r\n two"),
    ("a value folded with a tab", "X-Any: one\r\n\ttwo"),
    ("an empty fold", "X-Any: one\r\n "),
    ("a fold that looks like a field", "X-Any: one\r\n Content-Length: 5"),
    ("a bare carriage return in a value", "X-Any: one\rtwo"),
    ("a carriage return at the end of a value", "X-Any: one\r"),
    ("a zero byte in a value", "X-Any: one\0two"),
    ("a zero byte alone", "X-Any: \0"),
    ("a zero byte in a name", "X\0Any: y"),
    ("DEL in a value", "X-Any: one\u{7f}two"),
    ("DEL in a name", "X\u{7f}Any: y"),
    ("a bell in a value", "X-Any: \u{7}"),
    ("an escape in a value", "X-Any: \u{1b}[2J"),
    ("a vertical tab in a value", "X-Any: one\u{b}two"),
    ("a form feed in a value", "X-Any: one\u{c}two"),
    ("the last control character in a value", "X-Any: one\u{1f}two"),
    ("a control character in a name", "X\u{1}Any: y"),
    ("a tab in a name", "X\tAny: y"),
    ("no name", ": y"),
    ("no name and no value", ":"),
    ("a space for a name", " : y"),
    ("no colon", "nothing"),
    ("no colon and a space", "nothing at all"),
    ("a slash in a name", "X/Any: y"),
    ("a bracket in a name", "X(Any): y"),
    ("quotes in a name", "\"X-Any\": y"),
    ("a comma in a name", "X,Any: y"),
    ("an at sign in a name", "X@Any: y"),
    ("a letter beyond ASCII in a name", "X-\u{e9}: y"),
    ("a request line for a field", "GET /smuggled HTTP/1.1"),
    ("a field of HTTP/2", ":path: /smuggled"),
];

#[tokio::test]
async fn lines_end_with_both_characters() {
    are_refused(rows(LINE_ENDS), true).await;
}

#[tokio::test]
async fn odd_field_lines_are_refused() {
    let placed = FIELDS.iter().flat_map(|(name, field)| {
        let last = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let first = format!("GET / HTTP/1.1\r\n{field}\r\nHost: a\r\n\r\n");
        [row(&format!("{name}, last"), last, MALFORMED), row(&format!("{name}, first"), first, MALFORMED)]
    });
    are_refused(placed.collect(), true).await;
}

/// RFC 9112 section 2.2: a server must not take a first line that starts with white space for a field.
#[tokio::test]
async fn white_space_before_the_first_field_is_refused() {
    let table = [
        ("a folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", MALFORMED),
        ("a first field behind a tab", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", MALFORMED),
        ("a line of spaces", "GET / HTTP/1.1\r\n  \r\nHost: a\r\n\r\n", MALFORMED),
    ];
    are_refused(rows(&table), true).await;
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused() {
    let many = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: 1\r\n".repeat(count));
    let long = |bytes: usize| format!("X-Long: {}\r\n", "x".repeat(bytes));
    let table = vec![
        row("101 fields besides Host", many(101), HEAD_TOO_LARGE),
        row("5,000 fields", many(5_000), HEAD_TOO_LARGE),
        row("a value of 40 KiB", format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", long(40 << 10)), HEAD_TOO_LARGE),
        row(
            "values of 40 KiB together",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", long(4_000).repeat(10)),
            HEAD_TOO_LARGE,
        ),
        row(
            "a name of 40 KiB",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}: y\r\n\r\n", "x".repeat(40 << 10)),
            HEAD_TOO_LARGE,
        ),
        row(
            "a head without an end",
            format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}", "x".repeat(200 << 10)),
            HEAD_TOO_LARGE,
        ),
    ];
    are_refused(table, true).await;
}
