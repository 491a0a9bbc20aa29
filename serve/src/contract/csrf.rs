//! The signed double-submit token that unsafe requests with a cookie must carry: another site can make a browser send
//! its cookies, but can read none of them and set no field.
//!
//! The application mints one for each session and sends it in a cookie that its own pages can read; they repeat it in a
//! field. The edge checks that both are the same and that it was minted for the session of the request's token, so
//! that one that was planted (by a sibling domain or over plain http) is worth nothing.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use std::fmt;

/// The cookie that carries the token. Pages read it, so it is not `HttpOnly`; the prefix keeps other hosts from setting
/// it (draft-ietf-httpbis-rfc6265bis section 4.1.3.2).
pub const CSRF_COOKIE: &str = "__Host-csrf";

/// The field in which a page repeats the token.
pub static X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// Random bytes in a token.
pub const CSRF_NONCE_BYTES: usize = 16;

/// What the tag is about, so that no other use of the shared key makes one.
const PURPOSE: &[u8] = b"csrf\0";

/// Both parts in base64url, with the dot.
const TOKEN_CHARS: usize = 22 + 1 + 43;

/// Mints and checks tokens: base64url(nonce) `.` base64url(HMAC-SHA256(key, "csrf" 0x00 session 0x00 nonce)).
pub struct CsrfKey(hmac::Key);

impl CsrfKey {
    /// With the key that the edge and the application share.
    #[must_use]
    pub fn new(shared_key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, shared_key))
    }

    /// A token for this session (claim `sid`). `nonce` must be random.
    #[must_use]
    pub fn mint(&self, session: &str, nonce: [u8; CSRF_NONCE_BYTES]) -> String {
        let tag = hmac::sign(&self.0, &message(session, &nonce));
        let mut token = String::with_capacity(TOKEN_CHARS);
        URL_SAFE_NO_PAD.encode_string(nonce, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        token
    }

    /// Whether `token` was minted with this key for this session. Takes the same time for every wrong tag.
    #[must_use]
    pub fn accepts(&self, session: &str, token: &[u8]) -> bool {
        let Some((nonce, tag)) = parts(token) else { return false };
        hmac::verify(&self.0, &message(session, &nonce), &tag).is_ok()
    }
}

impl fmt::Debug for CsrfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfKey").finish_non_exhaustive()
    }
}

/// The nonce has a fixed length and comes last, so a session's name can't run over into it.
fn message(session: &str, nonce: &[u8; CSRF_NONCE_BYTES]) -> Vec<u8> {
    [PURPOSE, session.as_bytes(), b"\0", nonce].concat()
}

fn parts(token: &[u8]) -> Option<([u8; CSRF_NONCE_BYTES], [u8; 32])> {
    if token.len() != TOKEN_CHARS {
        return None;
    }
    let (nonce, tag) = (token.get(..22)?, token.get(22..)?.strip_prefix(b".")?);
    let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok();
    Some((decode(nonce)?.try_into().ok()?, decode(tag)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_for_its_session_and_its_key_only() {
        let key = CsrfKey::new(&[7; 32]);
        let token = key.mint("s1", [1; CSRF_NONCE_BYTES]);
        assert_eq!(token.len(), TOKEN_CHARS);
        assert!(key.accepts("s1", token.as_bytes()));
        assert!(!key.accepts("s2", token.as_bytes()), "another session's");
        assert!(!key.accepts("", token.as_bytes()), "nobody's");
        assert!(!CsrfKey::new(&[8; 32]).accepts("s1", token.as_bytes()), "another key's");
        assert_ne!(token, key.mint("s1", [2; CSRF_NONCE_BYTES]));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let key = CsrfKey::new(&[7; 32]);
        let token = key.mint("s1", [1; CSRF_NONCE_BYTES]).into_bytes();
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(!key.accepts("s1", &changed), "byte {at}");
        }
        for wrong in [&b""[..], b".", &token[1..], &[&token[..], b"A"].concat(), &[b'.'; TOKEN_CHARS]] {
            assert!(!key.accepts("s1", wrong));
        }
    }

    /// The form is a promise to applications that mint their own: the value was made with Python's `hmac`.
    #[test]
    fn the_form_never_changes() {
        let token = CsrfKey::new(&[0; 32]).mint("session", *b"0123456789abcdef");
        assert_eq!(token, "MDEyMzQ1Njc4OWFiY2RlZg.NUVt1ZA0TeaYhPciqLrQIqwPWAHRqfQ_dknaZP2YoR4");
    }
}
