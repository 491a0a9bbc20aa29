//! The request line (RFC 9112 section 3): method, target, version, and nothing between, before or behind them.

use super::{CONNECT, MALFORMED, Refusal, TARGET, TARGET_TOO_LONG, VERSION, are_refused, row, rows};

const REST: &str = "\r\nHost: a\r\n\r\n";

/// RFC 9112 section 3 names 501 for a method longer than any that is known; its line may be too long before that.
const METHOD_TOO_LONG: &[Refusal] =
    &[(400, "malformed_request"), (501, "method_unsupported"), (431, "headers_too_large"), (414, "uri_too_long")];

const LINES: &[(&str, &str, &[Refusal])] = &[
    ("no method", " / HTTP/1.1", MALFORMED),
    ("a space before the method", " GET / HTTP/1.1", MALFORMED),
    ("a bracket in the method", "GE(T / HTTP/1.1", MALFORMED),
    ("a colon in the method", "GET: / HTTP/1.1", MALFORMED),
    ("a slash in the method", "GET/ / HTTP/1.1", MALFORMED),
    ("a letter beyond ASCII in the method", "G\u{c9}T / HTTP/1.1", MALFORMED),
    ("a zero byte in the method", "GE\0T / HTTP/1.1", MALFORMED),
    ("DEL in the method", "GE\u{7f}T / HTTP/1.1", MALFORMED),
    ("a control character before the method", "\u{1}GET / HTTP/1.1", MALFORMED),
    ("two spaces behind the method", "GET  / HTTP/1.1", MALFORMED),
    ("a tab behind the method", "GET\t/ HTTP/1.1", MALFORMED),
    ("two spaces before the version", "GET /  HTTP/1.1", MALFORMED),
    ("a tab before the version", "GET /\tHTTP/1.1", MALFORMED),
    ("a space behind the version", "GET / HTTP/1.1 ", MALFORMED),
    ("a tab behind the version", "GET / HTTP/1.1\t", MALFORMED),
    ("a word behind the version", "GET / HTTP/1.1 x", MALFORMED),
    ("a space in the target", "GET /a b HTTP/1.1", MALFORMED),
    ("a request in the target", "GET / HTTP/1.1 HTTP/1.1", MALFORMED),
    ("no target", "GET HTTP/1.1", MALFORMED),
    ("an empty target", "GET  HTTP/1.1", MALFORMED),
    ("a method alone", "GET", MALFORMED),
    ("TLS on a plain listener", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}", MALFORMED),
];

const TARGETS: &[(&str, &str, &[Refusal])] = &[
    ("a zero byte", "GET /a\0b HTTP/1.1", TARGET),
    ("DEL", "GET /a\u{7f}b HTTP/1.1", TARGET),
    ("a control character", "GET /a\u{1}b HTTP/1.1", TARGET),
    ("a vertical tab", "GET /a\u{b}b HTTP/1.1", TARGET),
    ("a tab", "GET /a\tb HTTP/1.1", TARGET),
    ("no slash", "GET a HTTP/1.1", TARGET),
    ("a query alone", "GET ?a HTTP/1.1", TARGET),
    ("a backslash for the slash", "GET \\a HTTP/1.1", TARGET),
    ("an authority", "GET a:80 HTTP/1.1", TARGET),
    ("an authority with a path", "GET a:80/ HTTP/1.1", TARGET),
    ("an asterisk of a GET", "GET * HTTP/1.1", TARGET),
    ("an asterisk of a POST", "POST * HTTP/1.1", TARGET),
    ("an asterisk with a path", "OPTIONS */a HTTP/1.1", TARGET),
    ("a fragment alone", "GET #a HTTP/1.1", TARGET),
    ("a fragment behind a path", "GET /a#b HTTP/1.1", TARGET),
    ("CONNECT", "CONNECT a:80 HTTP/1.1", CONNECT),
    ("a tunnel in lower case", "connect a:80 HTTP/1.1", TARGET),
];

const VERSIONS: &[(&str, &str, &[Refusal])] = &[
    ("HTTP/0.9 by its form", "GET /", MALFORMED),
    ("HTTP/0.9 by its form, with a space", "GET / ", MALFORMED),
    ("HTTP/0.9 by name", "GET / HTTP/0.9", VERSION),
    ("HTTP/1.2", "GET / HTTP/1.2", VERSION),
    ("HTTP/1.9", "GET / HTTP/1.9", VERSION),
    ("HTTP/2.0", "GET / HTTP/2.0", VERSION),
    ("HTTP/3.0", "GET / HTTP/3.0", VERSION),
    ("HTTP/9.9", "GET / HTTP/9.9", VERSION),
    ("HTTP/1.10", "GET / HTTP/1.10", MALFORMED),
    ("HTTP/1.01", "GET / HTTP/1.01", MALFORMED),
    ("HTTP/01.1", "GET / HTTP/01.1", MALFORMED),
    ("HTTP/11.1", "GET / HTTP/11.1", MALFORMED),
    ("HTTP/1", "GET / HTTP/1", MALFORMED),
    ("HTTP/1.", "GET / HTTP/1.", MALFORMED),
    ("HTTP/.1", "GET / HTTP/.1", MALFORMED),
    ("HTTP/2", "GET / HTTP/2", MALFORMED),
    ("HTTP/", "GET / HTTP/", MALFORMED),
    ("HTTP 1.1", "GET / HTTP 1.1", MALFORMED),
    ("HTTP/1,1", "GET / HTTP/1,1", MALFORMED),
    ("HTTP/+1.1", "GET / HTTP/+1.1", MALFORMED),
    ("HTTP/a.b", "GET / HTTP/a.b", MALFORMED),
    ("lower case", "GET / http/1.1", MALFORMED),
    ("mixed case", "GET / Http/1.1", MALFORMED),
    ("another protocol", "GET / HTTPS/1.1", MALFORMED),
    ("another protocol of the same length", "GET / ICAP/1.0", MALFORMED),
    ("a zero byte behind", "GET / HTTP/1.1\0", MALFORMED),
];

/// Each line with good fields behind it.
fn lines(table: &[(&str, &str, &'static [Refusal])]) -> Vec<super::Row> {
    table.iter().map(|(name, line, refusals)| row(name, format!("{line}{REST}"), refusals)).collect()
}

#[tokio::test]
async fn odd_request_lines_are_refused() {
    are_refused(lines(LINES), true).await;
}

#[tokio::test]
async fn targets_in_no_form_are_refused() {
    are_refused(lines(TARGETS), true).await;
}

#[tokio::test]
async fn other_versions_are_refused() {
    are_refused(lines(VERSIONS), true).await;
}

#[tokio::test]
async fn endless_lines_are_refused() {
    let table = vec![
        row("a method of 20,000 letters", format!("{} / HTTP/1.1{REST}", "A".repeat(20_000)), METHOD_TOO_LONG),
        row("a target of 9 KiB", format!("GET /{} HTTP/1.1{REST}", "a".repeat(9 << 10)), TARGET_TOO_LONG),
        row("a target of 100 KiB", format!("GET /{} HTTP/1.1{REST}", "a".repeat(100 << 10)), TARGET_TOO_LONG),
        row("a query of 9 KiB", format!("GET /?{} HTTP/1.1{REST}", "a".repeat(9 << 10)), TARGET_TOO_LONG),
        row("a target without an end", format!("GET /{}", "a".repeat(200 << 10)), TARGET_TOO_LONG),
    ];
    are_refused(table, true).await;
}

/// RFC 9112 section 2.2: "at least one" empty line before a request is to be ignored; nobody needs thousands.
#[tokio::test]
async fn empty_lines_without_end_are_refused() {
    let table = [
        ("a space in an empty line", " \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
        ("an empty line of a carriage return alone", "\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ];
    let mut table = rows(&table);
    table.push(row("a thousand empty lines", format!("{}GET / HTTP/1.1{REST}", "\r\n".repeat(1_000)), MALFORMED));
    are_refused(table, true).await;
}
