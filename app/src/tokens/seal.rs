//! Private keys at rest: sealed, because a database is copied to places where no key belongs (backups, replicas, the
//! screen of whoever looks into it). The secret stays outside, in a file of mode 0600.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the derived key is for, so that the secret may serve others too (RFC 5869 section 3.2).
const PURPOSE: &[u8] = b"portcullis signing keys 1";

/// Seals and opens, with AES-256-GCM under a key derived from a secret.
pub struct Seal(RandomizedNonceKey);

/// Nothing could be sealed: the secret can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key could not be sealed")]
pub struct SealError;

impl Seal {
    /// Seals with what this secret leads to.
    ///
    /// # Errors
    /// The derivation fails.
    pub fn new(secret: &[u8; 32]) -> Result<Self, SealError> {
        let mut key = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(secret)
            .expand(&[PURPOSE], &AES_256_GCM)
            .and_then(|derived| derived.fill(&mut key))
            .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &key))
            .map(Self)
            .map_err(|_| SealError)
    }

    /// Seals the private half of the key with this name.
    ///
    /// # Errors
    /// No random bytes.
    pub fn seal(&self, id: &str, private: &[u8]) -> Result<String, SealError> {
        let mut text = private.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(id.as_bytes()), &mut text).map_err(|_| SealError)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &text].concat()))
    }

    /// Opens what was sealed under this name; none for another name or another secret.
    #[must_use]
    pub fn open(&self, id: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let private = self.0.open_in_place(nonce, Aad::from(id.as_bytes()), &mut text).ok()?;
        Some(private.to_vec())
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_secret_and_name_only() {
        let seal = Seal::new(&[1; 32]).expect("a seal");
        let sealed = seal.seal("a", b"private").expect("sealed");
        assert_eq!(seal.open("a", &sealed).as_deref(), Some(&b"private"[..]));
        assert_eq!(seal.open("b", &sealed), None, "another key's row");
        assert_eq!(Seal::new(&[2; 32]).expect("a seal").open("a", &sealed), None, "another secret");
        assert_eq!(seal.open("a", "AAAA"), None);
        assert_ne!(seal.seal("a", b"private").expect("sealed"), sealed, "no nonce comes twice");
    }
}
