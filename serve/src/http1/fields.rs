//! From the bytes of a head to its fields, and what the fields say about the message's framing.

use super::malformed::Malformed;
use super::names;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The fields of a head that `httparse` has found sound, without copying their values.
///
/// # Errors
/// A name longer than any field has, or more fields than a map holds.
pub(super) fn fields(head: &Bytes, parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, Malformed> {
    let mut fields = HeaderMap::with_capacity(parsed.len() + FIELDS_ADDED);
    for field in parsed {
        let name = match names::known(field.name.as_bytes()) {
            Some(name) => name,
            None => HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::FIELD_NAME)?,
        };
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| Malformed::FIELD_VALUE)?;
        fields.try_append(name, value).map_err(|_| Malformed::FIELDS_TOO_LARGE)?;
    }
    Ok(fields)
}

/// A front server adds about this many fields on the way; room for them saves a second allocation.
const FIELDS_ADDED: usize = 6;

/// How many bytes follow a head, as `Content-Length` and `Transfer-Encoding` say it (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// Neither field.
    Nothing,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`, that and nothing else.
    Chunked,
}

/// Why the framing of a message can't be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsound {
    /// `Content-Length` beside `Transfer-Encoding`: the classic of request smuggling (RFC 9112 section 6.3, item 3).
    Both,
    /// `Content-Length` is no number, repeated, or a list.
    Length,
    /// `Transfer-Encoding` is not a list of codings, or does not end in one `chunked`.
    Encoding,
    /// A coding beside `chunked` (RFC 9112 section 6.1: 501 in a request).
    UnknownCoding,
}

/// Reads both fields. Stricter than RFC 9112 section 6.3 allows to be lenient: every leniency is one that another
/// server does not have.
pub(super) fn announced(fields: &HeaderMap) -> Result<Announced, Unsound> {
    let encoding = fields.get(header::TRANSFER_ENCODING);
    let length = fields.get(header::CONTENT_LENGTH);
    match (encoding, length) {
        (None, None) => Ok(Announced::Nothing),
        (Some(_), Some(_)) => Err(Unsound::Both),
        (None, Some(length)) => {
            let single = fields.get_all(header::CONTENT_LENGTH).iter().nth(1).is_none();
            number(length.as_bytes()).filter(|_| single).map(Announced::Length).ok_or(Unsound::Length)
        }
        (Some(encoding), None) => {
            let single = fields.get_all(header::TRANSFER_ENCODING).iter().nth(1).is_none();
            if !single {
                Err(Unsound::Encoding)
            } else if encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
                Ok(Announced::Chunked)
            } else {
                Err(coding(encoding.as_bytes()))
            }
        }
    }
}

/// Digits and nothing else, up to 19 of them: that always fits.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// What is wrong with a `Transfer-Encoding` that is not `chunked`.
fn coding(text: &[u8]) -> Unsound {
    let mut codings: Vec<_> = text.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let last = codings.pop().unwrap_or_default();
    let sound = is_chunked(last) && codings.iter().all(|coding| is_token(coding) && !is_chunked(coding));
    if sound && !codings.is_empty() { Unsound::UnknownCoding } else { Unsound::Encoding }
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Whether a comma-separated field holds this word, in any case.
#[must_use]
pub fn lists(fields: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let words = |value: &HeaderValue| {
        value.as_bytes().split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    fields.get_all(name).iter().any(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&'static str, &'static str)]) -> Result<Announced, Unsound> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        announced(&map)
    }

    #[test]
    fn one_sound_announcement_or_none() {
        assert_eq!(read(&[]), Ok(Announced::Nothing));
        assert_eq!(read(&[("content-length", "0")]), Ok(Announced::Length(0)));
        assert_eq!(read(&[("content-length", "0010")]), Ok(Announced::Length(10)));
        assert_eq!(
            read(&[("content-length", "9999999999999999999")]),
            Ok(Announced::Length(9_999_999_999_999_999_999))
        );
        assert_eq!(read(&[("transfer-encoding", "Chunked")]), Ok(Announced::Chunked));
    }

    #[test]
    fn odd_lengths() {
        for value in ["", "+5", "-1", "0x5", "5, 5", "5 5", "5.0", "99999999999999999999", "\u{b2}"] {
            let mut map = HeaderMap::new();
            map.insert(header::CONTENT_LENGTH, HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("x")));
            assert_eq!(announced(&map), Err(Unsound::Length), "{value}");
        }
        assert_eq!(read(&[("content-length", "5"), ("content-length", "5")]), Err(Unsound::Length));
    }

    #[test]
    fn odd_encodings() {
        assert_eq!(read(&[("content-length", "5"), ("transfer-encoding", "chunked")]), Err(Unsound::Both));
        assert_eq!(read(&[("transfer-encoding", "gzip, chunked")]), Err(Unsound::UnknownCoding));
        for value in
            ["", "gzip", "chunked, chunked", "chunked,", "xchunked", "chunked, gzip", "chunked;q=1", "a b, chunked"]
        {
            assert_eq!(read(&[("transfer-encoding", value)]), Err(Unsound::Encoding), "{value}");
        }
        assert_eq!(read(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]), Err(Unsound::Encoding));
    }
}
