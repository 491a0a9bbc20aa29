//! What makes a request's head malformed that `h2` lets pass.
//!
//! `h2` itself refuses pseudo-fields that are repeated, unknown, missing or behind other fields, names in upper case,
//! the fields of a connection, and `TE` other than `trailers` (RFC 9113 sections 8.2 and 8.3); which host a request is
//! for, and whether `Host` agrees, is for the service to say, as in HTTP/1.

use crate::http1::Malformed;
use crate::limits::ConnectionLimits;
use http::{Method, header, request};

/// A frame's head counts each field with as much beside its name and value (RFC 9113 section 6.5.2), in bytes.
pub(super) const FIELD_OVERHEAD_BYTES: usize = 32;

/// What HTTP/1 needs beside a field's name and value, in bytes: that is what the limit is about.
const SEPARATOR_BYTES: usize = 4;

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Told by an answer.
    Refused(Malformed),
    /// A stream error (RFC 9113 section 8.1.1).
    Protocol,
}

/// Looks at a head that `h2` has taken.
///
/// # Errors
/// When it is no request that can be served.
pub(super) fn check(head: &request::Parts, limits: &ConnectionLimits) -> Result<(), Fault> {
    if !has_target(head) || head.uri.scheme_str().is_some_and(str::is_empty) {
        return Err(Fault::Protocol);
    }
    if head.uri.path() == "*" && head.method != Method::OPTIONS {
        return Err(Fault::Refused(Malformed::TARGET));
    }
    let mut bytes = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let mut count = 0;
    for (name, value) in &head.headers {
        let value = value.as_bytes();
        // RFC 9113 section 8.2.1.
        if [value.first(), value.last()].iter().flatten().any(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(Fault::Protocol);
        }
        bytes += name.as_str().len() + value.len() + SEPARATOR_BYTES;
        // Clients may split cookies, which are one field (RFC 9113 section 8.2.3).
        count += usize::from(*name != header::COOKIE);
    }
    count += usize::from(head.headers.contains_key(header::COOKIE));
    if bytes > limits.header_bytes_max {
        return Err(Fault::Refused(Malformed::FIELDS_TOO_LARGE));
    }
    if count > limits.header_count_max {
        return Err(Fault::Refused(Malformed::FIELDS_TOO_MANY));
    }
    if head.headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Fault::Refused(Malformed::LENGTH));
    }
    if head.uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Fault::Refused(Malformed::TARGET));
    }
    Ok(())
}

/// A path, `*`, or nothing for CONNECT (RFC 9113 sections 8.3.1 and 8.5).
fn has_target(head: &request::Parts) -> bool {
    // An absent path reads as "/" everywhere but here.
    if head.uri.path().is_empty() {
        return head.method == Method::CONNECT;
    }
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    path.starts_with('/') || path == "*"
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Uri};

    fn checked(method: Method, uri: Uri, fields: &[(&str, &str)]) -> Result<(), Fault> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let limits = ConnectionLimits { header_bytes_max: 256, header_count_max: 4, ..ConnectionLimits::default() };
        check(&request.body(()).expect("a request").into_parts().0, &limits)
    }

    fn get(fields: &[(&str, &str)]) -> Result<(), Fault> {
        checked(Method::GET, Uri::from_static("https://a/"), fields)
    }

    #[test]
    fn targets() {
        let connect = Uri::from_static("a:443");
        assert_eq!(checked(Method::CONNECT, connect, &[]), Ok(()));
        assert_eq!(checked(Method::OPTIONS, Uri::from_static("*"), &[]), Ok(()));
        assert_eq!(checked(Method::GET, Uri::from_static("*"), &[]), Err(Fault::Refused(Malformed::TARGET)));
        assert_eq!(checked(Method::GET, Uri::default(), &[]), Ok(()));
        let empty = Uri::from_parts(http::uri::Parts::default()).expect("empty");
        assert_eq!(checked(Method::GET, empty, &[]), Err(Fault::Protocol));
        assert_eq!(
            checked(Method::GET, Uri::from_static("https://me@a/"), &[]),
            Err(Fault::Refused(Malformed::TARGET))
        );
    }

    #[test]
    fn fields() {
        assert_eq!(get(&[("a", "1"), ("b", "2"), ("c", ""), ("d", "x y")]), Ok(()));
        for value in [" x", "x ", "\tx", "x\t"] {
            assert_eq!(get(&[("a", value)]), Err(Fault::Protocol), "{value:?}");
        }
        let lengths = [("content-length", "0"), ("content-length", "0")];
        assert_eq!(get(&lengths), Err(Fault::Refused(Malformed::LENGTH)));
        assert_eq!(get(&[("a", "1"); 5]), Err(Fault::Refused(Malformed::FIELDS_TOO_MANY)));
        assert_eq!(get(&[("cookie", "a=b"); 12]), Ok(()), "one field in crumbs");
        let long = "x".repeat(256);
        assert_eq!(get(&[("a", &long)]), Err(Fault::Refused(Malformed::FIELDS_TOO_LARGE)));
    }
}
