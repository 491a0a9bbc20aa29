//! Where a body ends: `Content-Length` and `Transfer-Encoding` (RFC 9112 section 6).

use super::{CODING, CODING_OR_MALFORMED, MALFORMED, Refusal, Row, are_refused, row};

/// Fields of a POST whose body is `hello`.
const LENGTHS: &[(&str, &str)] = &[
    ("the same length twice", "Content-Length: 5\r\nContent-Length: 5"),
    ("two lengths that differ", "Content-Length: 0\r\nContent-Length: 5"),
    ("two lengths that differ, apart and in other case", "content-length: 5\r\nX-Between: y\r\nCONTENT-LENGTH: 0"),
    ("three lengths", "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 5"),
    ("a list of equal lengths", "Content-Length: 5, 5"),
    ("a list of equal lengths without spaces", "Content-Length: 5,5"),
    ("a list of lengths that differ", "Content-Length: 0, 5"),
    ("a list with an empty item behind", "Content-Length: 5,"),
    ("a list with an empty item before", "Content-Length: ,5"),
    ("a signed length", "Content-Length: +5"),
    ("a negative length", "Content-Length: -1"),
    ("minus zero", "Content-Length: -0"),
    ("a hexadecimal length", "Content-Length: 0x5"),
    ("hexadecimal digits", "Content-Length: a"),
    ("an octal length", "Content-Length: 0o5"),
    ("a fraction", "Content-Length: 5.0"),
    ("a power of ten", "Content-Length: 5e0"),
    ("an empty length", "Content-Length: "),
    ("an empty length without a space", "Content-Length:"),
    ("a length of 20 digits beyond 64 bits", "Content-Length: 18446744073709551616"),
    ("a length of 20 nines", "Content-Length: 99999999999999999999"),
    ("a length of 46 digits that wraps to 5", "Content-Length: 5708990770823839524233143877797980545530986501"),
    ("two numbers", "Content-Length: 5 5"),
    ("a number and a word", "Content-Length: 5 bytes"),
    ("a parameter", "Content-Length: 5;a=b"),
    ("a word", "Content-Length: five"),
    ("an underscore between digits", "Content-Length: 0_5"),
    ("quotes", "Content-Length: \"5\""),
    ("digits of another script", "Content-Length: \u{665}"),
    ("a no-break space before", "Content-Length: \u{a0}5"),
    ("a vertical tab before", "Content-Length: \u{b}5"),
    ("a form feed behind", "Content-Length: 5\u{c}"),
    ("a zero byte behind", "Content-Length: 5\0"),
];

/// Fields of a POST whose body is `hello` in one chunk, or those five letters for who reads a length.
const BOTH: &[(&str, &str)] = &[
    ("a length before chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
    ("a length behind chunks", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    ("a length of zero with chunks", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
    ("a bad length with chunks", "Content-Length: x\r\nTransfer-Encoding: chunked"),
    ("a length between codings", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"),
];

/// Fields of the same POST; chunks end its body.
const CODINGS: &[(&str, &str, &[Refusal])] = &[
    ("gzip alone", "Transfer-Encoding: gzip", CODING_OR_MALFORMED),
    ("gzip and chunked", "Transfer-Encoding: gzip, chunked", CODING),
    ("gzip and chunked in two fields", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", CODING_OR_MALFORMED),
    ("chunked is not the last", "Transfer-Encoding: chunked, gzip", CODING_OR_MALFORMED),
    ("chunked, identity", "Transfer-Encoding: chunked, identity", CODING_OR_MALFORMED),
    ("identity", "Transfer-Encoding: identity", CODING_OR_MALFORMED),
    ("identity with a length", "Transfer-Encoding: identity\r\nContent-Length: 5", CODING_OR_MALFORMED),
    ("chunked twice in a list", "Transfer-Encoding: chunked, chunked", MALFORMED),
    ("chunked twice in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", MALFORMED),
    ("xchunked", "Transfer-Encoding: xchunked", CODING_OR_MALFORMED),
    ("chunkedx", "Transfer-Encoding: chunkedx", CODING_OR_MALFORMED),
    ("chunke", "Transfer-Encoding: chunke", CODING_OR_MALFORMED),
    ("a parameter", "Transfer-Encoding: chunked;a=b", CODING_OR_MALFORMED),
    ("an empty item before", "Transfer-Encoding: , chunked", CODING_OR_MALFORMED),
    ("an empty item behind", "Transfer-Encoding: chunked,", CODING_OR_MALFORMED),
    ("no coding", "Transfer-Encoding:", CODING_OR_MALFORMED),
    ("quotes", "Transfer-Encoding: \"chunked\"", CODING_OR_MALFORMED),
    ("two words", "Transfer-Encoding: chunked chunked", CODING_OR_MALFORMED),
    ("a space inside", "Transfer-Encoding: chun ked", CODING_OR_MALFORMED),
    ("a vertical tab before", "Transfer-Encoding: \u{b}chunked", MALFORMED),
    ("a vertical tab behind", "Transfer-Encoding: chunked\u{b}", MALFORMED),
    ("a form feed behind", "Transfer-Encoding: chunked\u{c}", MALFORMED),
    ("a zero byte behind", "Transfer-Encoding: chunked\0", MALFORMED),
    ("a no-break space before", "Transfer-Encoding: \u{a0}chunked", CODING_OR_MALFORMED),
    ("a dotless or long letter", "Transfer-Encoding: chun\u{212a}ed", CODING_OR_MALFORMED),
    ("a space before the colon", "Transfer-Encoding : chunked", MALFORMED),
    ("a tab before the colon", "Transfer-Encoding\t: chunked", MALFORMED),
    ("a folded value", "Transfer-Encoding:\r\n chunked", MALFORMED),
    ("a bare line feed before it", "X-Any: y\nTransfer-Encoding: chunked", MALFORMED),
    ("a bare carriage return before it", "X-Any: y\rTransfer-Encoding: chunked", MALFORMED),
];

#[tokio::test]
async fn odd_lengths_are_refused() {
    let post = |(name, fields): &(&str, &str)| {
        row(name, format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\nhello"), MALFORMED)
    };
    are_refused(LENGTHS.iter().map(post).collect(), true).await;
}

#[tokio::test]
async fn a_length_with_a_transfer_coding_is_refused() {
    let post = |(name, fields): &(&str, &str)| {
        row(name, format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), MALFORMED)
    };
    are_refused(BOTH.iter().map(post).collect(), true).await;
}

#[tokio::test]
async fn only_chunked_is_a_transfer_coding() {
    let post = |(name, fields, refusals): &(&str, &str, &'static [Refusal])| {
        row(name, format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), refusals)
    };
    are_refused(CODINGS.iter().map(post).collect(), true).await;
}

/// RFC 9112 section 6.1: a coding in HTTP/1.0 is faulty framing. And what frames a body is refused on every method.
#[tokio::test]
async fn framing_is_judged_in_every_version_and_on_every_method() {
    let mut table: Vec<Row> = ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
        .map(|fields| {
            let request = format!("POST / HTTP/1.0\r\nHost: a\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
            row(&format!("HTTP/1.0 with {fields:?}"), request, MALFORMED)
        })
        .into();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND"] {
        for fields in ["Content-Length: 5, 5", "Content-Length: 5\r\nTransfer-Encoding: chunked"] {
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
            table.push(row(&format!("{method} with {fields:?}"), request, MALFORMED));
        }
    }
    are_refused(table, true).await;
}
