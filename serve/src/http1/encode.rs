//! Heads and chunks as bytes.

use super::head::Framing;
use crate::date::with_date;
use http::{HeaderMap, Method, StatusCode, Version, header};

/// What a response's head says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionField {
    /// What its version means by itself.
    None,
    Close,
    /// For clients of HTTP/1.0 that asked for it.
    KeepAlive,
    Upgrade,
}

/// Appends a response's head. `framing` and `connection` replace what `fields` say about either.
pub(super) fn response_head(
    out: &mut Vec<u8>,
    status: StatusCode,
    fields: &HeaderMap,
    framing: Option<Framing>,
    connection: ConnectionField,
) {
    status_line(out, status);
    response_fields(out, status, fields, framing, connection);
}

/// Appends the first line of a response.
pub(super) fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The fields of responses of one kind, as text for [`crate::Handler::write_fields`]; `None` when one of them is such
/// as belongs to a single response: `Date`, or about the connection. The length is left out.
#[must_use]
pub fn prepared_fields(fields: &HeaderMap) -> Option<Vec<u8>> {
    let is_single = |name| fields.contains_key(name);
    if [header::DATE, header::CONNECTION, header::TRANSFER_ENCODING].into_iter().any(is_single) {
        return None;
    }
    let mut out = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        field(&mut out, name.as_str().as_bytes(), value.as_bytes());
    }
    Some(out)
}

/// Appends the rest of a response's head. `framing` and `connection` replace what `fields` say about either.
pub(super) fn response_fields(
    out: &mut Vec<u8>,
    status: StatusCode,
    fields: &HeaderMap,
    framing: Option<Framing>,
    connection: ConnectionField,
) {
    let frames = framing.is_some();
    for (name, value) in fields {
        let ours = *name == header::CONNECTION
            || *name == header::TRANSFER_ENCODING
            || (frames && *name == header::CONTENT_LENGTH);
        if !ours {
            field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    match framing {
        Some(Framing::Length(length)) => field(out, b"content-length", itoa::Buffer::new().format(length).as_bytes()),
        Some(Framing::Empty) => field(out, b"content-length", b"0"),
        Some(Framing::Chunked) => field(out, b"transfer-encoding", b"chunked"),
        Some(Framing::UntilClose) | None => {}
    }
    match connection {
        ConnectionField::None => {}
        ConnectionField::Close => field(out, b"connection", b"close"),
        ConnectionField::KeepAlive => field(out, b"connection", b"keep-alive"),
        ConnectionField::Upgrade => field(out, b"connection", b"upgrade"),
    }
    // Interim responses need none (RFC 9110 section 6.6.1).
    if !status.is_informational() && !fields.contains_key(header::DATE) {
        out.extend_from_slice(b"date: ");
        with_date(|date| out.extend_from_slice(date.as_bytes()));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a request's head as it is: fields, framing and target were decided before. `write` appends fields behind
/// those of the map.
pub fn request_head(
    out: &mut Vec<u8>,
    method: &Method,
    target: &str,
    write: impl FnOnce(&mut Vec<u8>),
    fields: &HeaderMap,
    framing: Option<Framing>,
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in fields {
        if *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING {
            field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    write(out);
    match framing {
        Some(Framing::Length(length)) => field(out, b"content-length", itoa::Buffer::new().format(length).as_bytes()),
        Some(Framing::Empty) => field(out, b"content-length", b"0"),
        Some(Framing::Chunked) => field(out, b"transfer-encoding", b"chunked"),
        Some(Framing::UntilClose) | None => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends one field.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line that begins a chunk.
pub fn chunk_line(out: &mut Vec<u8>, bytes: usize) {
    let digits = (usize::BITS - bytes.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(bytes >> (digit * 4)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and the trailer, without the CR LF of a chunk before it.
pub fn last_chunk(out: &mut Vec<u8>, trailer: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailer.into_iter().flatten() {
        field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// What `Version` a message is said to have in `Via` and logs is the caller's matter; this is whether chunks exist.
pub(super) fn has_chunks(version: Version) -> bool {
    version >= Version::HTTP_11
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn sizes_are_hexadecimal_without_zeros_in_front() {
        for (bytes, line) in [(0, "0\r\n"), (9, "9\r\n"), (16, "10\r\n"), (255, "ff\r\n"), (65_536, "10000\r\n")] {
            assert_eq!(text(|out| chunk_line(out, bytes)), line);
        }
    }

    #[test]
    fn what_is_decided_replaces_what_the_fields_say() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            (header::CONTENT_LENGTH, "7"),
            (header::TRANSFER_ENCODING, "gzip"),
            (header::CONNECTION, "x"),
            (header::DATE, "now"),
            (header::SERVER, "a"),
        ] {
            fields.insert(name, HeaderValue::from_static(value));
        }
        let head = text(|out| {
            response_head(out, StatusCode::OK, &fields, Some(Framing::Chunked), ConnectionField::Close);
        });
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\ndate: now\r\nserver: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
        let head = text(|out| response_head(out, StatusCode::OK, &fields, None, ConnectionField::None));
        assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ndate: now\r\nserver: a\r\n\r\n");
    }

    #[test]
    fn fields_are_prepared_unless_one_belongs_to_a_single_response() {
        let mut fields = HeaderMap::new();
        for (name, value) in [(header::CONTENT_LENGTH, "7"), (header::SERVER, "a"), (header::VARY, "b")] {
            fields.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(prepared_fields(&fields).as_deref(), Some(&b"server: a\r\nvary: b\r\n"[..]));
        for name in [header::DATE, header::CONNECTION, header::TRANSFER_ENCODING] {
            let mut fields = fields.clone();
            fields.insert(name, HeaderValue::from_static("x"));
            assert_eq!(prepared_fields(&fields), None);
        }
    }

    #[test]
    fn a_response_without_a_date_gets_one() {
        let head = text(|out| response_head(out, StatusCode::OK, &HeaderMap::new(), None, ConnectionField::None));
        let date = head.strip_prefix("HTTP/1.1 200 OK\r\ndate: ").and_then(|rest| rest.strip_suffix("\r\n\r\n"));
        assert!(date.is_some_and(|date| httpdate::parse_http_date(date).is_ok()), "{head}");
    }
}
