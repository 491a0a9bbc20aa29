//! The id that joins the edge's log line, the application's log line and the error body of one request.

use super::hex;
use http::{HeaderName, HeaderValue};
use std::fmt;

/// The field that carries the id both ways.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a peer, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// One request's id: visible, short, safe in logs and headers.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Takes over an id that a trusted peer sent, if it is sane: 8 to 64 bytes of `A-Z a-z 0-9 - _ .`.
    #[must_use]
    pub fn accept(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let sane = (8..=REQUEST_ID_BYTES_MAX).contains(&bytes.len())
            && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        sane.then(|| Self::new(value.clone()))
    }

    /// Makes an id from 128 random bits: 32 lower-case hexadecimal digits, usable as a W3C trace id.
    #[must_use]
    pub fn from_random(random: u128) -> Self {
        let mut text = [0; 32];
        hex::write(&mut text, &random.to_be_bytes());
        Self::new(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("00000000")))
    }

    /// No second message will have this value: in HTTP/2's table of fields it would only push out others, and each look
    /// for the next id would compare it with all of those before.
    fn new(mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self(value)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a W3C trace id, where it has the form of one: 32 lower-case hexadecimal digits, not all of them zero.
    #[must_use]
    pub fn as_trace_id(&self) -> Option<&[u8; 32]> {
        let id = <&[u8; 32]>::try_from(self.0.as_bytes()).ok()?;
        (hex::is_hex(id) && *id != [b'0'; 32]).then_some(id)
    }

    /// The id as a field value, shared and not copied.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_are_32_hexadecimal_digits() {
        assert_eq!(
            RequestId::from_random(0x0123_4567_89ab_cdef_0011_2233_4455_6677).as_str(),
            "0123456789abcdef0011223344556677"
        );
        assert_eq!(RequestId::from_random(0).as_str(), "0".repeat(32));
    }

    #[test]
    fn an_id_of_the_right_form_is_a_trace_id() {
        assert!(RequestId::from_random(7).as_trace_id().is_some());
        assert_eq!(RequestId::from_random(0).as_trace_id(), None);
        for value in ["0123456789ABCDEF0011223344556677", "0123456789abcdef001122334455667", "abcdefgh"] {
            assert_eq!(
                RequestId::accept(&HeaderValue::from_static(value)).expect(value).as_trace_id(),
                None,
                "{value}"
            );
        }
    }

    #[test]
    fn only_sane_foreign_ids_are_taken_over() {
        for (value, taken) in
            [("abcdefgh-1.2_3", true), ("short", false), ("has space in it", false), ("quote\"quote\"", false)]
        {
            assert_eq!(RequestId::accept(&HeaderValue::from_static(value)).is_some(), taken, "{value}");
        }
        assert!(RequestId::accept(&HeaderValue::from_str(&"a".repeat(65)).expect("a value")).is_none());
    }
}
