//! The `X-Auth-*` fields that tell logs and simple applications who the caller is. Only the assertion proves it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serve::contract::identity::{
    Identity, X_AUTH_ISSUER, X_AUTH_SCOPE, X_AUTH_SESSION, X_AUTH_SUBJECT, X_AUTH_TOKEN_ID,
};

/// Everything but visible ASCII, and `%` itself so that decoding is unambiguous.
const INVISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// In a scope the space separates words and stays.
const INVISIBLE_IN_SCOPE: &AsciiSet = &CONTROLS.add(b'%');

/// Each field with how its value is written.
static FIELDS: [(&HeaderName, &AsciiSet); 5] = [
    (&X_AUTH_SUBJECT, INVISIBLE),
    (&X_AUTH_ISSUER, INVISIBLE),
    (&X_AUTH_SCOPE, INVISIBLE_IN_SCOPE),
    (&X_AUTH_SESSION, INVISIBLE),
    (&X_AUTH_TOKEN_ID, INVISIBLE),
];

/// The values of the fields, made once per token, in one piece of memory; empty ones are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityFields {
    text: Bytes,
    /// Where the value of each field ends.
    ends: [usize; FIELDS.len()],
}

impl IdentityFields {
    /// Prepares the fields of an identity.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        let values = [
            identity.subject.as_str(),
            &identity.issuer,
            identity.scope.trim_matches(' '),
            identity.session.as_deref().unwrap_or_default(),
            identity.token_id.as_deref().unwrap_or_default(),
        ];
        let mut text = String::with_capacity(values.iter().map(|value| value.len()).sum());
        let mut ends = [0; FIELDS.len()];
        for ((value, (_, encoded)), end) in values.into_iter().zip(FIELDS).zip(&mut ends) {
            text.extend(utf8_percent_encode(value, encoded));
            *end = text.len();
        }
        Self { text: Bytes::from(text.into_boxed_str().into_boxed_bytes()), ends }
    }

    /// Sets the fields on a request whose forged ones were stripped before.
    pub fn write(&self, headers: &mut HeaderMap) {
        let mut start = 0;
        for ((name, _), &end) in FIELDS.iter().zip(&self.ends) {
            // All values share their bytes.
            if end > start
                && let Ok(value) = HeaderValue::from_maybe_shared(self.text.slice(start..end))
            {
                headers.insert(*name, value);
            }
            start = end;
        }
    }

    /// The memory of its text, in bytes.
    pub(super) fn weight_bytes(&self) -> usize {
        self.text.len()
    }
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
