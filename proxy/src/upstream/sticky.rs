//! Sticky sessions: a cookie that brings a client back to its endpoint.
//!
//! The cookie is sealed (AES-256-GCM) under a key that edges may share, with the upstream's name as associated data: a
//! client can neither read where its endpoint is nor choose another one. What can't be opened counts as no cookie.

use super::affinity::number;
use crate::config::{self, SameSite};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderValue;
use serve::shared_key::KEY_BYTES;
use std::fmt::Write as _;

const NUMBER_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
/// Of the value, in base64url.
const VALUE_BYTES: usize = (NONCE_LEN + NUMBER_BYTES + TAG_BYTES) / 3 * 4;

/// How the clients of one upstream are brought back.
pub struct Sticky {
    name: String,
    key: RandomizedNonceKey,
    upstream: String,
    attributes: String,
}

impl Sticky {
    /// As configured, under this key.
    ///
    /// # Errors
    /// When the key can't be used, which no key of the right length is.
    pub fn new(
        upstream: &str,
        config: &config::Sticky,
        key: &[u8; KEY_BYTES],
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let config::Sticky { cookie, key: _, path, secure, same_site, max_age } = config;
        let mut attributes = format!("; Path={path}; HttpOnly");
        if *secure {
            attributes.push_str("; Secure");
        }
        attributes.push_str(match same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        if let Some(age) = max_age {
            let _ = write!(attributes, "; Max-Age={}", age.as_secs());
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, key)?;
        Ok(Self { name: cookie.clone(), key, upstream: upstream.to_owned(), attributes })
    }

    /// The name of the cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The endpoint that a cookie's value names, as a number.
    #[must_use]
    pub fn open(&self, value: &[u8]) -> Option<u64> {
        let mut sealed = [0; NONCE_LEN + NUMBER_BYTES + TAG_BYTES];
        if value.len() != VALUE_BYTES || BASE64_URL_SAFE_NO_PAD.decode_slice(value, &mut sealed).ok()? != sealed.len() {
            return None;
        }
        let (nonce, sealed) = sealed.split_at_mut(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.key.open_in_place(nonce, Aad::from(self.upstream.as_bytes()), sealed).ok()?;
        Some(u64::from_be_bytes((&*opened).try_into().ok()?))
    }

    /// The field that binds a client to the endpoint of this label, unless `known` does already.
    #[must_use]
    pub fn bind(&self, endpoint: &str, known: Option<u64>) -> Option<HeaderValue> {
        let number = number(endpoint.as_bytes());
        if known == Some(number) {
            return None;
        }
        let mut sealed = number.to_be_bytes().to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(self.upstream.as_bytes()), &mut sealed).ok()?;
        sealed.splice(..0, nonce.as_ref().iter().copied());
        let value = BASE64_URL_SAFE_NO_PAD.encode(sealed);
        HeaderValue::try_from(format!("{}={value}{}", self.name, self.attributes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky(upstream: &str, key: u8) -> Sticky {
        let config = config::Sticky {
            cookie: "home".to_owned(),
            key: None,
            path: "/".to_owned(),
            secure: true,
            same_site: SameSite::Lax,
            max_age: None,
        };
        Sticky::new(upstream, &config, &[key; KEY_BYTES]).expect("a key")
    }

    fn value(sticky: &Sticky, endpoint: &str) -> String {
        let field = sticky.bind(endpoint, None).expect("a field");
        let (pair, attributes) = field.to_str().expect("text").split_once(';').expect("attributes");
        assert_eq!(attributes, " Path=/; HttpOnly; Secure; SameSite=Lax");
        pair.strip_prefix("home=").expect("the name").to_owned()
    }

    #[test]
    fn every_edge_with_the_key_reads_it_and_nobody_else() {
        let made = value(&sticky("app", 1), "10.0.0.7:80");
        let wanted = number(b"10.0.0.7:80");
        assert_eq!(made.len(), VALUE_BYTES);
        assert_eq!(sticky("app", 1).open(made.as_bytes()), Some(wanted));
        assert_eq!(sticky("app", 2).open(made.as_bytes()), None, "another key");
        assert_eq!(sticky("other", 1).open(made.as_bytes()), None, "another upstream");
        assert_eq!(sticky("app", 1).bind("10.0.0.7:80", Some(wanted)), None, "bound already");
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let (sticky, mut made) = (sticky("app", 1), value(&sticky("app", 1), "10.0.0.7:80").into_bytes());
        for index in 0..made.len() {
            let kept = made[index];
            made[index] = if kept == b'A' { b'B' } else { b'A' };
            assert_eq!(sticky.open(&made), None, "{index}");
            made[index] = kept;
        }
        for garbage in [&b""[..], b"x", &[b'A'; VALUE_BYTES], &[0xff; VALUE_BYTES], &[b'A'; 10_000]] {
            assert_eq!(sticky.open(garbage), None);
        }
    }

    #[test]
    fn it_says_nothing_about_the_endpoint() {
        let sticky = sticky("app", 1);
        assert_ne!(value(&sticky, "10.0.0.7:80"), value(&sticky, "10.0.0.7:80"), "not even that it is the same");
    }
}
