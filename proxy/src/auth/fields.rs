//! The `X-Auth-*` fields that tell logs and simple applications who the caller is. Only the assertion proves it.

use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serve::contract::identity::{
    Identity, X_AUTH_ISSUER, X_AUTH_SCOPE, X_AUTH_SESSION, X_AUTH_SUBJECT, X_AUTH_TOKEN_ID,
};

/// Everything but visible ASCII, and `%` itself so that decoding is unambiguous.
const INVISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// In a scope the space separates words and stays.
const INVISIBLE_IN_SCOPE: &AsciiSet = &CONTROLS.add(b'%');

/// The values, made once per token; empty ones are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityFields {
    subject: Option<HeaderValue>,
    issuer: Option<HeaderValue>,
    scope: Option<HeaderValue>,
    session: Option<HeaderValue>,
    token_id: Option<HeaderValue>,
}

impl IdentityFields {
    /// Prepares the fields of an identity.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        let text = |text: &str| value(text, INVISIBLE);
        Self {
            subject: text(&identity.subject),
            issuer: text(&identity.issuer),
            scope: value(identity.scope.trim_matches(' '), INVISIBLE_IN_SCOPE),
            session: identity.session.as_deref().and_then(text),
            token_id: identity.token_id.as_deref().and_then(text),
        }
    }

    /// Sets the fields on a request whose forged ones were stripped before.
    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (&X_AUTH_SUBJECT, &self.subject),
            (&X_AUTH_ISSUER, &self.issuer),
            (&X_AUTH_SCOPE, &self.scope),
            (&X_AUTH_SESSION, &self.session),
            (&X_AUTH_TOKEN_ID, &self.token_id),
        ] {
            if let Some(value) = value {
                // A clone of a value shares its bytes.
                headers.insert(name, value.clone());
            }
        }
    }
}

fn value(text: &str, encoded: &'static AsciiSet) -> Option<HeaderValue> {
    if text.is_empty() {
        return None;
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(utf8_percent_encode(text, encoded).to_string())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_visible_ascii_whatever_the_issuer_wrote() {
        let identity = Identity {
            subject: "anné\r\nx-admin: 1 100%".into(),
            issuer: "https://id.example/".into(),
            scope: " notes:read notes:wrïte\n ".into(),
            session: Some("s\0".into()),
            token_id: Some(String::new()),
            expires_at: 0,
            claims: serde_json::Map::new(),
        };
        let mut headers = HeaderMap::new();
        IdentityFields::new(&identity).write(&mut headers);
        let found = |name: &str| headers.get(name).map(|value| value.to_str().expect("ASCII").to_owned());
        assert_eq!(found("x-auth-subject").as_deref(), Some("ann%C3%A9%0D%0Ax-admin:%201%20100%25"));
        assert_eq!(found("x-auth-issuer").as_deref(), Some("https://id.example/"));
        assert_eq!(found("x-auth-scope").as_deref(), Some("notes:read notes:wr%C3%AFte%0A"));
        assert_eq!(found("x-auth-session").as_deref(), Some("s%00"));
        assert_eq!(found("x-auth-token-id"), None);
    }
}
