//! What is sent to all three.

use super::Case;

const fn case(name: &'static str, bytes: &'static str) -> Case {
    Case { name, bytes }
}

/// Cases that all servers should take alike come first, then those that are read in different ways in the wild.
pub(super) const CASES: &[Case] = &[
    case("a GET", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a HEAD", "HEAD /a HTTP/1.1\r\nHost: a\r\nX-Any: y\r\n\r\n"),
    case("a POST with a length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
    case(
        "a POST in chunks",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ),
    case("a POST without a body", "POST /a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a POST with a length of zero", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
    case("a GET with a body", "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
    case("a GET in chunks", "GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    case("a DELETE with a body", "DELETE /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
    case(
        "two requests",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    ),
    case("a raw target", "GET /a%2Fb//c;d=e?f=%20&g HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("an encoded letter", "GET /%61 HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("an unknown method", "PURGE /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"),
    case("a method in lower case", "get /a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("an absolute target", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("CHUNKED", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    case(
        "an extension of a chunk",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
    ),
    case(
        "a trailer",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
    case("an empty line before", "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("the last request", "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    case("HTTP/1.0", "GET /a HTTP/1.0\r\nHost: a\r\n\r\n"),
    case("HTTP/1.0 that stays", "GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
    case("HTTP/1.0 with a length", "POST /a HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
    // Framing.
    case(
        "a length and chunks",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    case("the same length twice", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    case("two lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
    case("a list of lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
    case("a signed length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    case("a hexadecimal length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
    case("an empty length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello"),
    case("gzip", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nhello"),
    case(
        "gzip and chunked",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    case(
        "chunked twice",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    case("xchunked", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    case(
        "a vertical tab and chunked",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    case(
        "chunks in HTTP/1.0",
        "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    case(
        "connection: content-length",
        "POST /a HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
    ),
    case(
        "a chunk size in 0x",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    ),
    case(
        "a chunk size of 17 digits",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    case(
        "a bare line feed behind a chunk size",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    ),
    case(
        "a bare line feed behind a chunk",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    ),
    case(
        "a space before a chunk size",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n",
    ),
    // Lines.
    case("bare line feeds", "GET /a HTTP/1.1\nHost: a\n\n"),
    case("a bare line feed behind a field", "GET /a HTTP/1.1\r\nHost: a\nX-Any: y\r\n\r\n"),
    case("a bare carriage return in a value", "GET /a HTTP/1.1\r\nHost: a\r\nX-Any: one\rtwo\r\n\r\n"),
    case("a space before the colon", "GET /a HTTP/1.1\r\nHost: a\r\nX-Any : y\r\n\r\n"),
    case("a space before the first field", "GET /a HTTP/1.1\r\n X-Any: y\r\nHost: a\r\n\r\n"),
    case("a folded value", "GET /a HTTP/1.1\r\nHost: a\r\nX-Any: one\r\n two\r\n\r\n"),
    case("a zero byte in a value", "GET /a HTTP/1.1\r\nHost: a\r\nX-Any: one\0two\r\n\r\n"),
    case("a control character in a value", "GET /a HTTP/1.1\r\nHost: a\r\nX-Any: one\u{1}two\r\n\r\n"),
    case("DEL in a value", "GET /a HTTP/1.1\r\nHost: a\r\nX-Any: one\u{7f}two\r\n\r\n"),
    case("a field without a name", "GET /a HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    case("a field without a colon", "GET /a HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n"),
    case("a bracket in a name", "GET /a HTTP/1.1\r\nHost: a\r\nX(Any): y\r\n\r\n"),
    case("two spaces behind the method", "GET  /a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a space behind the version", "GET /a HTTP/1.1 \r\nHost: a\r\n\r\n"),
    case("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a control character in the target", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a letter beyond ASCII in the target", "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("HTTP/0.9", "GET /a\r\n"),
    case("HTTP/1.2", "GET /a HTTP/1.2\r\nHost: a\r\n\r\n"),
    case("HTTP/2.0", "GET /a HTTP/2.0\r\nHost: a\r\n\r\n"),
    case("HTTP/1.10", "GET /a HTTP/1.10\r\nHost: a\r\n\r\n"),
    case("http/1.1", "GET /a http/1.1\r\nHost: a\r\n\r\n"),
    // Hosts and forms of targets.
    case("no host", "GET /a HTTP/1.1\r\nX-Any: y\r\n\r\n"),
    case("two hosts", "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    case("the same host twice", "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    case("a host with a path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    case("an absolute target of another host", "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    case("an asterisk of a GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("dot segments", "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("dot segments above the root", "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a zero byte in an encoded target", "GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("a broken percent sign", "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    case("TRACE", "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n"),
];
