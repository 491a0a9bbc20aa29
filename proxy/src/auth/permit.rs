//! The proof that a request may go on.

use super::verified::Verified;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// Made only by [`RouteRule::authorize`](super::RouteRule::authorize); whatever acts on a request demands one, so a
/// route without a decision does not compile.
#[derive(Debug, Clone)]
pub struct Permit {
    verified: Option<Arc<Verified>>,
    /// Rare, and boxed because a permit is held as long as its request.
    next_nonce: Option<Box<HeaderValue>>,
}

impl Permit {
    /// For a caller whose token passed, or for anybody where the route says so.
    pub(super) fn grant(verified: Option<Arc<Verified>>) -> Self {
        Self { verified, next_nonce: None }
    }

    /// With a nonce that the client's next DPoP proof is to have.
    pub(super) fn with_next_nonce(self, next_nonce: Option<HeaderValue>) -> Self {
        Self { next_nonce: next_nonce.map(Box::new), ..self }
    }

    /// The nonce that the client's next DPoP proof is to have, where its last one grows old.
    #[must_use]
    pub fn next_nonce(&self) -> Option<&HeaderValue> {
        self.next_nonce.as_deref()
    }

    /// The verified token, which says who the caller is; `None` for nobody in particular.
    #[must_use]
    pub fn verified(&self) -> Option<&Arc<Verified>> {
        self.verified.as_ref()
    }

    /// Sets the `X-Auth-*` fields, without the assertion, on a request whose forged ones were stripped before.
    pub fn write_fields(&self, headers: &mut HeaderMap) {
        if let Some(verified) = &self.verified {
            verified.fields().write(headers);
        }
    }
}
