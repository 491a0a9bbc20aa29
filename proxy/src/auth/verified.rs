//! A token that was verified: who it names, what rules and revocations look at, and its fields ready to send.
//!
//! A worker keeps thousands of these, so it is all text: an [`Identity`] is made only
//! to be written as JSON.

use super::claims::Claims;
use super::fields::IdentityFields;
use super::kept_claims::KeptClaims;
use super::policy::{Checked, Policy, Validity};
use super::reject::Reason;
use super::revocations::{Known, Names, Revocations};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use serve::contract::identity::Identity;
use std::sync::Arc;
use std::time::Instant;

/// What one verification found. Shared between the cache and the requests that use it.
#[derive(Debug)]
pub struct Verified {
    subject: Box<str>,
    /// [`Identity`] as JSON: every assertion repeats it.
    identity_json: Box<RawValue>,
    claims: KeptClaims,
    fields: IdentityFields,
    validity: Validity,
    kid: Option<Box<str>>,
    revocations: Arc<Revocations>,
    names: Names,
}

impl Verified {
    /// Takes the claims of a token whose signature was good.
    pub(crate) fn new(policy: &Policy, claims: Claims, checked: Checked, kid: Option<&str>) -> Self {
        let mut others = claims.into_inner();
        let mut kept = Vec::with_capacity(others.len());
        for name in [policy.subject_claim.as_str(), "iss", "exp", "scope", "sid", "jti"] {
            kept.extend(others.remove_entry(name));
        }
        let claim = |name: &str| kept.iter().find_map(|(known, value)| (known == name).then_some(value));
        let text = |name: &str| claim(name).and_then(Value::as_str).map(str::to_owned);
        let identity = Identity {
            subject: checked.subject,
            issuer: policy.issuer.clone(),
            scope: scope(claim("scope")),
            session: text("sid"),
            token_id: text("jti"),
            expires_at: checked.validity.expires_at,
            claims: others,
        };
        let fields = IdentityFields::new(&identity);
        // Texts, numbers and JSON always serialise. Were it otherwise, `null` would say that nobody is known.
        let identity_json = to_raw_value(&identity).unwrap_or_default();
        let names = Names::new(
            identity.token_id.as_deref(),
            identity.session.as_deref(),
            kid,
            &identity.subject,
            checked.validity.issued_at,
        );
        kept.extend(identity.claims);
        Self {
            subject: identity.subject.into(),
            identity_json,
            claims: KeptClaims::new(kept),
            fields,
            validity: checked.validity,
            kid: kid.map(Box::from),
            revocations: Arc::clone(&policy.revocations),
            names,
        }
    }

    /// The user, as the issuer names it; empty where the token names none and need not.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The session that the token belongs to.
    pub(super) fn session(&self) -> Option<String> {
        match self.claim("sid")? {
            Value::String(session) => Some(session),
            _ => None,
        }
    }

    /// Who it is, in the JSON of an assertion.
    pub(crate) fn identity_json(&self) -> &RawValue {
        &self.identity_json
    }

    /// The `X-Auth-*` fields, prepared.
    #[must_use]
    pub fn fields(&self) -> &IdentityFields {
        &self.fields
    }

    /// When the token was issued (`iat`), in seconds since 1970; for revocations of everything before a moment.
    #[must_use]
    pub fn issued_at(&self) -> Option<u64> {
        self.validity.issued_at
    }

    /// The `kid` of the key that signed it, also where the token does not name it; for revocations of a key.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// A claim as the issuer wrote it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Value> {
        self.claims.get(name)
    }

    /// Whether the token is for one of `audiences`.
    #[must_use]
    pub fn is_for(&self, audiences: &[String]) -> bool {
        let ours = |value: &Value| audiences.iter().any(|audience| value == audience.as_str());
        match self.claim("aud") {
            Some(Value::Array(many)) => many.iter().any(ours),
            Some(one) => ours(&one),
            None => false,
        }
    }

    /// Whether it still counts. `now` is in seconds since 1970.
    pub(crate) fn check_time(&self, now: u64) -> Result<(), Reason> {
        self.validity.check(now)
    }

    /// Whether it was revoked. `unix` is `now` in seconds since 1970.
    pub(super) fn known(&self, now: Instant, unix: u64) -> Known {
        self.revocations.know(&self.names, now, unix)
    }

    /// Where its issuer's revocations come from.
    pub(super) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Roughly the memory it takes, in bytes: the cache is bounded by it.
    pub(crate) fn weight_bytes(&self) -> usize {
        size_of::<Self>()
            + self.subject.len()
            + self.identity_json.get().len()
            + self.fields.weight_bytes()
            + self.kid.as_deref().map_or(0, str::len)
            + self.claims.weight_bytes()
    }
}

/// `scope` is a text of words (RFC 8693 section 4.2); some issuers write a list.
fn scope(claim: Option<&Value>) -> String {
    match claim {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}
