//! The keys of one moment: one that signs, the next one, and those whose last token still counts.

use super::key::SigningKey;
use super::{Seal, SealError};

/// The keys of one moment.
#[derive(Debug)]
pub struct KeyRing {
    active: SigningKey,
    others: Vec<SigningKey>,
    jwks: serde_json::Value,
}

impl KeyRing {
    /// `active` signs; tokens of the others are read and their public halves published too.
    #[must_use]
    pub fn new(active: SigningKey, others: Vec<SigningKey>) -> Self {
        let public: Vec<_> = std::iter::once(&active).chain(&others).filter_map(SigningKey::jwk).cloned().collect();
        Self { active, others, jwks: serde_json::json!({ "keys": public }) }
    }

    /// The public keys, as a JWK set (RFC 7517 section 5).
    #[must_use]
    pub const fn jwks(&self) -> &serde_json::Value {
        &self.jwks
    }

    pub(super) const fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The key of this name. A token without a name is one of a secret.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&SigningKey> {
        std::iter::once(&self.active).chain(&self.others).find(|key| key.id() == id)
    }
}

impl SigningKey {
    /// The private half, sealed.
    ///
    /// # Errors
    /// No random bytes.
    pub fn sealed(&self, seal: &Seal) -> Result<String, SealError> {
        seal.seal(self.id().unwrap_or_default(), self.private())
    }

    /// Opens a key of our own; none when it was sealed with another secret.
    #[must_use]
    pub fn open(seal: &Seal, id: &str, sealed: &str) -> Option<Self> {
        Self::from_pkcs8(&seal.open(id, sealed)?).filter(|key| key.id() == Some(id))
    }
}
