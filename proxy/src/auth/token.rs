//! The compact form of a JWS, read strictly (RFC 7515 sections 3.1 and 7.1).
//!
//! Strict means that one signed token has exactly one spelling: base64url without padding, without spaces and
//! without bits left over. A cache keyed by the token's bytes and a block list keyed by its digest depend on it.

use super::object;
use super::reject::Reason;
use crate::auth::algorithm;
use crate::config::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The three parts of a token, decoded; nothing in them is believed yet.
#[derive(Debug)]
pub(crate) struct CompactJws<'t> {
    /// What the signature covers: header and payload as they stand in the token, with the dot.
    pub signing_input: &'t [u8],
    /// The header's bytes.
    pub header: Vec<u8>,
    /// The payload's bytes; may be empty here, never in a token with claims.
    pub payload: Vec<u8>,
    /// The signature as it stands in the token.
    pub signature_text: &'t str,
    /// The signature's bytes, never empty.
    pub signature: Vec<u8>,
}

impl<'t> CompactJws<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] above [`TOKEN_BYTES_MAX`]; [`Reason::Segments`] unless it is three segments of
    /// canonical base64url, of which only the payload may be empty.
    pub(crate) fn parse(token: &'t [u8]) -> Result<Self, Reason> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Reason::TooLarge);
        }
        let token = str::from_utf8(token).map_err(|_| Reason::Segments)?;
        let mut segments = token.split('.');
        let (Some(header), Some(payload), Some(signature_text), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(Reason::Segments);
        };
        if header.is_empty() || signature_text.is_empty() {
            return Err(Reason::Segments);
        }
        let decode = |segment: &str| URL_SAFE_NO_PAD.decode(segment).map_err(|_| Reason::Segments);
        let signed = header.len() + 1 + payload.len();
        Ok(Self {
            signing_input: &token.as_bytes()[..signed],
            header: decode(header)?,
            payload: decode(payload)?,
            signature: decode(signature_text)?,
            signature_text,
        })
    }
}

/// What the edge needs to know of a header (RFC 7515 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// `alg`. A claim of the sender's until the key record confirms it.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<String>,
    /// `typ`, lower-case, without the `application/` that may be left out (section 4.1.9).
    pub typ: Option<String>,
}

impl Header {
    /// Reads a header and refuses everything that would change what the rest of the token means. `jku`, `x5u` and
    /// `x5c` are ignored: keys come from the issuer's configuration and never from a token.
    ///
    /// # Errors
    /// The reason, from [`Reason::Header`] to [`Reason::Nested`].
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Reason> {
        let members = object::parse(bytes).map_err(|_| Reason::Header)?;
        let header = Self::read(&members)?;
        if members.contains_key("jwk") { Err(Reason::EmbeddedKey) } else { Ok(header) }
    }

    /// As [`Header::parse`], for a token that must bring its key along (RFC 9449 section 4.2).
    ///
    /// # Errors
    /// As [`Header::parse`].
    pub(crate) fn parse_with_key(bytes: &[u8]) -> Result<Self, Reason> {
        Self::read(&object::parse(bytes).map_err(|_| Reason::Header)?)
    }

    fn read(members: &Map<String, Value>) -> Result<Self, Reason> {
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Reason::Header),
        };
        let algorithm = algorithm::from_name(text("alg")?.ok_or(Reason::Header)?).ok_or(Reason::AlgorithmUnknown)?;
        // Section 4.1.11: an extension that is not understood makes the token invalid, and none is understood.
        // `b64` (RFC 7797) and `zip` change the payload's bytes even where a sender forgets to list them.
        if ["crit", "b64", "zip"].iter().any(|name| members.contains_key(*name)) {
            return Err(Reason::Extension);
        }
        let media_type = |name| text(name).map(|value| value.map(short_media_type));
        if media_type("cty")?.is_some_and(|cty| cty == "jwt") {
            return Err(Reason::Nested);
        }
        Ok(Self { algorithm, kid: text("kid")?.map(str::to_owned), typ: media_type("typ")? })
    }
}

fn short_media_type(value: &str) -> String {
    let mut value = value.to_ascii_lowercase();
    if let Some(short) = value.strip_prefix("application/")
        && !short.contains('/')
    {
        value.drain(.."application/".len());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_has_one_spelling() {
        // "{}" is e30; its last digit has two spare bits that must be zero.
        for (token, expected) in [
            ("e30.e30.AAAA", None),
            ("e30..AAAA", None),
            ("e31.e30.AAAA", Some(Reason::Segments)),
            ("e30=.e30.AAAA", Some(Reason::Segments)),
            ("e30.e30.AAA=", Some(Reason::Segments)),
            ("e30.e30.AA+A", Some(Reason::Segments)),
            ("e30.e30.AA A", Some(Reason::Segments)),
            ("e30.e30.A", Some(Reason::Segments)),
            (" e30.e30.AAAA", Some(Reason::Segments)),
            ("e30.e30.AAAA\n", Some(Reason::Segments)),
            ("e30.e30.", Some(Reason::Segments)),
            (".e30.AAAA", Some(Reason::Segments)),
            ("e30.e30", Some(Reason::Segments)),
            ("e30.e30.AAAA.", Some(Reason::Segments)),
            ("e30.e30.AAAA.AAAA.AAAA", Some(Reason::Segments)),
            ("", Some(Reason::Segments)),
        ] {
            assert_eq!(CompactJws::parse(token.as_bytes()).err(), expected, "{token:?}");
        }
        let long = "A".repeat(TOKEN_BYTES_MAX + 1);
        assert_eq!(CompactJws::parse(long.as_bytes()).err(), Some(Reason::TooLarge));
    }

    #[test]
    fn the_signature_covers_header_and_payload() {
        let jws = CompactJws::parse(b"e30.YWJj.AAAA").expect("a token");
        assert_eq!((jws.signing_input, &*jws.header, &*jws.payload), (&b"e30.YWJj"[..], &b"{}"[..], &b"abc"[..]));
        assert_eq!((jws.signature_text, &*jws.signature), ("AAAA", &[0, 0, 0][..]));
    }

    #[test]
    fn headers_that_change_the_meaning_are_refused() {
        for (header, expected) in [
            (r#"{"alg":"ES256"}"#, None),
            (r#"{"alg":"Ed25519","kid":"1","typ":"JWT","jku":"https://evil.example/"}"#, None),
            (r#"{"alg":"ES256","cty":"json"}"#, None),
            (r#"{"alg":"none"}"#, Some(Reason::AlgorithmUnknown)),
            (r#"{"alg":"None"}"#, Some(Reason::AlgorithmUnknown)),
            (r#"{"alg":"es256"}"#, Some(Reason::AlgorithmUnknown)),
            (r#"{"alg":["ES256"]}"#, Some(Reason::Header)),
            (r#"{}"#, Some(Reason::Header)),
            (r#"{"alg":"ES256","alg":"ES256"}"#, Some(Reason::Header)),
            (r#"{"alg":"ES256","kid":7}"#, Some(Reason::Header)),
            (r#"{"alg":"ES256","typ":null}"#, Some(Reason::Header)),
            (r#"{"alg":"ES256","crit":["exp"]}"#, Some(Reason::Extension)),
            (r#"{"alg":"ES256","crit":[]}"#, Some(Reason::Extension)),
            (r#"{"alg":"ES256","b64":true}"#, Some(Reason::Extension)),
            (r#"{"alg":"ES256","zip":"DEF"}"#, Some(Reason::Extension)),
            (r#"{"alg":"ES256","jwk":{}}"#, Some(Reason::EmbeddedKey)),
            (r#"{"alg":"ES256","cty":"JWT"}"#, Some(Reason::Nested)),
            (r#"{"alg":"ES256","cty":"application/jwt"}"#, Some(Reason::Nested)),
        ] {
            assert_eq!(Header::parse(header.as_bytes()).err(), expected, "{header}");
        }
        for (typ, short) in
            [("at+JWT", "at+jwt"), ("application/at+jwt", "at+jwt"), ("application/a/b", "application/a/b")]
        {
            let header = Header::parse(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#).as_bytes()).expect("a header");
            assert_eq!(header.typ.as_deref(), Some(short));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(jws) = CompactJws::parse(&bytes) {
                let _ = Header::parse(&jws.header);
            }
            let _ = Header::parse(&bytes);
        }

        #[test]
        fn only_the_canonical_spelling_parses(parts in prop::array::uniform3(prop::collection::vec(any::<u8>(), 1..40)),
                                              at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let token = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join(".");
            prop_assert!(CompactJws::parse(token.as_bytes()).is_ok());
            let mut changed = token.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            if changed != token.as_bytes() && let Ok(jws) = CompactJws::parse(&changed) {
                // Another spelling must be another token.
                prop_assert!([jws.header, jws.payload, jws.signature] != parts);
            }
        }
    }
}
