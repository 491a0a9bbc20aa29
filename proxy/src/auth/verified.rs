//! A token that was verified: the identity, what rules and revocations look at, and its fields ready to send.

use super::claims::Claims;
use super::fields::IdentityFields;
use super::policy::{Checked, Policy, Validity};
use super::reject::Reason;
use super::revocations::{Known, Names, Revocations};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use serve::contract::identity::Identity;
use std::sync::Arc;
use std::time::Instant;

/// What one verification found. Shared between the cache and the requests that use it.
#[derive(Debug)]
pub struct Verified {
    identity: Arc<Identity>,
    /// The identity as JSON: every assertion repeats it.
    identity_json: Box<RawValue>,
    /// The claims that [`Identity`] holds under a name of its own, in their original form, for claim rules.
    lifted: Map<String, Value>,
    fields: IdentityFields,
    validity: Validity,
    kid: Option<String>,
    revocations: Arc<Revocations>,
    names: Names,
}

impl Verified {
    /// Takes the claims of a token whose signature was good.
    pub(crate) fn new(policy: &Policy, claims: Claims, checked: Checked, kid: Option<String>) -> Self {
        let mut claims = claims.into_inner();
        let mut lifted = Map::new();
        for name in [policy.subject_claim.as_str(), "iss", "exp", "scope", "sid", "jti"] {
            if let Some((name, value)) = claims.remove_entry(name) {
                lifted.insert(name, value);
            }
        }
        let text = |name: &str| lifted.get(name).and_then(Value::as_str).map(str::to_owned);
        let identity = Identity {
            subject: checked.subject,
            issuer: policy.issuer.clone(),
            scope: scope(lifted.get("scope")),
            session: text("sid"),
            token_id: text("jti"),
            expires_at: checked.validity.expires_at,
            claims,
        };
        let fields = IdentityFields::new(&identity);
        // Texts, numbers and JSON always serialise. Were it otherwise, `null` would say that nobody is known.
        let identity_json = to_raw_value(&identity).unwrap_or_default();
        let names = Names::new(
            identity.token_id.as_deref(),
            identity.session.as_deref(),
            kid.as_deref(),
            &identity.subject,
            checked.validity.issued_at,
        );
        Self {
            identity: Arc::new(identity),
            identity_json,
            lifted,
            fields,
            validity: checked.validity,
            kid,
            revocations: Arc::clone(&policy.revocations),
            names,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
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
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.lifted.get(name).or_else(|| self.identity.claims.get(name))
    }

    /// Whether the token is for one of `audiences`.
    #[must_use]
    pub fn is_for(&self, audiences: &[String]) -> bool {
        let ours = |value: &Value| audiences.iter().any(|audience| value == audience.as_str());
        match self.claim("aud") {
            Some(Value::Array(many)) => many.iter().any(ours),
            Some(one) => ours(one),
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
        let identity = &self.identity;
        let texts = [Some(&identity.subject), Some(&identity.issuer), Some(&identity.scope)]
            .into_iter()
            .chain([identity.session.as_ref(), identity.token_id.as_ref(), self.kid.as_ref()])
            .flatten()
            // Once here and once more as a field.
            .map(|text| 2 * text.len())
            .sum::<usize>();
        size_of::<Self>()
            + size_of::<Identity>()
            + self.identity_json.get().len()
            + texts
            + members_bytes(&self.lifted)
            + members_bytes(&identity.claims)
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

fn members_bytes(members: &Map<String, Value>) -> usize {
    // A tree node has room for eleven entries and is on average two thirds full.
    members.iter().map(|(name, value)| 48 + name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(value_bytes).sum(),
            Value::Object(members) => members_bytes(members),
        }
}
