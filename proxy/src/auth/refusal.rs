//! A refusal as the client may see it: status, stable code, challenge, and the exact reason for the log.

use super::codes;
use super::reject::{Reason, Reject};
use crate::config::ErrorShape;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use serve::contract::error_code::ErrorCode;
use std::fmt::Write as _;
use std::time::Duration;

/// When a client should try again after 503: keys are fetched again within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a request may not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No token where one is needed.
    Missing,
    /// More than one credential.
    Several,
    /// A token that is not believed.
    Token(Reject),
    /// A good token that lacks something; the scope that would do, space-separated, when a rule names one.
    Insufficient {
        /// May be empty.
        scope: String,
    },
    /// A token for another audience than this route's.
    Audience,
    /// It is not known whether the token was revoked.
    RevocationsUnavailable,
}

/// The answer to a request that may not go on. What is shown says no more than the client has proved to know; see
/// [`Reject::genuine`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    cause: Cause,
    shape: ErrorShape,
    realm: String,
}

/// How a cause is worded.
struct Wording {
    code: &'static ErrorCode,
    /// RFC 6750 section 3.1; absent when no credentials were sent.
    error: Option<&'static str>,
    description: &'static str,
}

impl Refusal {
    pub(crate) fn new(cause: Cause, shape: ErrorShape, realm: &str) -> Self {
        Self { cause, shape, realm: realm.to_owned() }
    }

    fn wording(&self) -> Wording {
        let word = |code, error, description| Wording { code, error, description };
        let invalid = |code, description| word(code, Some("invalid_token"), description);
        match &self.cause {
            Cause::Missing => word(&codes::TOKEN_MISSING, None, "A token is needed"),
            Cause::Several => {
                word(&codes::INVALID_REQUEST, Some("invalid_request"), "More than one credential in one request")
            }
            Cause::Insufficient { .. } => {
                word(&codes::INSUFFICIENT_SCOPE, Some("insufficient_scope"), "The token does not allow this")
            }
            Cause::Audience => invalid(&codes::TOKEN_AUDIENCE, "The token is for another audience"),
            Cause::Token(Reject { reason: Reason::KeysUnavailable, .. }) => {
                word(&codes::KEYS_UNAVAILABLE, None, "Tokens can not be checked now")
            }
            Cause::RevocationsUnavailable => {
                word(&codes::REVOCATIONS_UNAVAILABLE, None, "Tokens can not be checked now")
            }
            Cause::Token(Reject { reason: Reason::Revoked, .. }) => {
                invalid(&codes::TOKEN_REVOKED, "The token was revoked")
            }
            Cause::Token(Reject { reason: Reason::Expired, genuine: true }) => {
                invalid(&codes::TOKEN_EXPIRED, "The token has expired")
            }
            Cause::Token(Reject { reason: Reason::NotYetValid, genuine: true }) => {
                invalid(&codes::TOKEN_NOT_YET_VALID, "The token is not valid yet")
            }
            Cause::Token(Reject { reason: Reason::WrongKind, genuine: true }) => {
                invalid(&codes::TOKEN_WRONG_KIND, "The token is of another kind")
            }
            Cause::Token(_) => invalid(&codes::TOKEN_INVALID, "The token is not valid"),
        }
    }

    /// 400, 401, 403 or 503.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.entry().status
    }

    /// Its entry in the documented list.
    #[must_use]
    pub fn entry(&self) -> &'static ErrorCode {
        self.wording().code
    }

    /// A stable, documented code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.entry().code
    }

    /// One sentence for people.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.wording().description
    }

    /// How the body is to look.
    #[must_use]
    pub fn shape(&self) -> ErrorShape {
        self.shape
    }

    /// `WWW-Authenticate` (RFC 6750 section 3), except with 503.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        let Wording { code, error, description } = self.wording();
        if code.status == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        let mut challenge = String::from("Bearer realm=");
        quote(&mut challenge, &self.realm);
        if let Some(error) = error {
            // Writing to a string can't fail.
            let _ = write!(challenge, r#", error="{error}", error_description="{description}""#);
        }
        if let Cause::Insufficient { scope } = &self.cause
            && !scope.is_empty()
        {
            challenge.push_str(", scope=");
            quote(&mut challenge, scope);
        }
        HeaderValue::try_from(challenge).ok()
    }

    /// `Retry-After`, with 503.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER)
    }

    /// The exact reason, for the log only.
    #[must_use]
    pub fn log_reason(&self) -> &'static str {
        match &self.cause {
            Cause::Token(reject) => reject.reason.as_str(),
            Cause::Missing => "token_missing",
            Cause::Several => "credentials_several",
            Cause::Insufficient { .. } => "claims_insufficient",
            Cause::Audience => "audience_of_route",
            Cause::RevocationsUnavailable => "revocations_unavailable",
        }
    }

    /// The body that djangorestframework-simplejwt would send, for [`ErrorShape::SimpleJwt`].
    #[must_use]
    pub fn simplejwt_body(&self) -> Value {
        match &self.cause {
            Cause::Missing => json!({"detail": "Authentication credentials were not provided."}),
            Cause::Token(Reject { reason: Reason::Credentials, .. }) => json!({
                "detail": "Authorization header must contain two space-delimited values",
                "code": "bad_authorization_header",
            }),
            Cause::Insufficient { .. } => json!({"detail": "You do not have permission to perform this action."}),
            Cause::Several => json!({"detail": "More than one credential in one request."}),
            Cause::RevocationsUnavailable | Cause::Token(Reject { reason: Reason::KeysUnavailable, .. }) => {
                json!({"detail": "Service temporarily unavailable, try again later."})
            }
            Cause::Token(Reject { reason: Reason::Expired, genuine: true }) => not_valid("Token is expired"),
            Cause::Token(Reject { reason: Reason::WrongKind, genuine: true }) => not_valid("Token has wrong type"),
            Cause::Token(_) | Cause::Audience => not_valid("Token is invalid"),
        }
    }
}

fn not_valid(message: &str) -> Value {
    json!({
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": message}],
    })
}

/// Writes a quoted string (RFC 9110 section 5.6.4), leaving out what can't stand in one.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_as_rfc_6750_says() {
        let genuine = |reason| Cause::Token(Reject { reason, genuine: true });
        let unproved = |reason: Reason| Cause::Token(reason.into());
        let invalid = r#"Bearer realm="a \"b\"", error="invalid_token", error_description="The token is not valid""#;
        for (cause, status, code, challenge) in [
            (Cause::Missing, 401, "token_missing", Some(r#"Bearer realm="a \"b\"""#)),
            (
                Cause::Several,
                400,
                "invalid_request",
                Some(
                    r#"Bearer realm="a \"b\"", error="invalid_request", error_description="More than one credential in one request""#,
                ),
            ),
            (
                genuine(Reason::Expired),
                401,
                "token_expired",
                Some(r#"Bearer realm="a \"b\"", error="invalid_token", error_description="The token has expired""#),
            ),
            (unproved(Reason::Expired), 401, "token_invalid", Some(invalid)),
            (unproved(Reason::Signature), 401, "token_invalid", Some(invalid)),
            (unproved(Reason::Issuer), 401, "token_invalid", Some(invalid)),
            (unproved(Reason::KeyUnknown), 401, "token_invalid", Some(invalid)),
            (unproved(Reason::Credentials), 401, "token_invalid", Some(invalid)),
            (unproved(Reason::KeysUnavailable), 503, "keys_unavailable", None),
            (
                Cause::Insufficient { scope: "a:read b".into() },
                403,
                "insufficient_scope",
                Some(
                    r#"Bearer realm="a \"b\"", error="insufficient_scope", error_description="The token does not allow this", scope="a:read b""#,
                ),
            ),
        ] {
            let refusal = Refusal::new(cause, ErrorShape::Problem, "a \"b\"\r\nx");
            let refusal = Refusal { realm: "a \"b\"".into(), ..refusal };
            assert_eq!(refusal.status().as_u16(), status, "{refusal:?}");
            assert_eq!(refusal.code(), code);
            assert!(codes::CODES.contains(&refusal.entry()), "{code} is in the documented list");
            assert_eq!(refusal.challenge(), challenge.map(HeaderValue::from_static));
            assert_eq!(refusal.retry_after().is_some(), status == 503);
        }
    }

    #[test]
    fn bodies_read_as_simplejwt_writes_them() {
        for (cause, expected) in [
            (Cause::Missing, json!({"detail": "Authentication credentials were not provided."})),
            (
                Cause::Token(Reject { reason: Reason::Expired, genuine: true }),
                json!({"detail": "Given token not valid for any token type", "code": "token_not_valid", "messages":
                    [{"token_class": "AccessToken", "token_type": "access", "message": "Token is expired"}]}),
            ),
            (
                Cause::Token(Reason::Expired.into()),
                json!({"detail": "Given token not valid for any token type", "code": "token_not_valid", "messages":
                    [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"}]}),
            ),
        ] {
            assert_eq!(Refusal::new(cause, ErrorShape::SimpleJwt, "r").simplejwt_body(), expected);
        }
        let bad = Refusal::new(Cause::Token(Reason::Credentials.into()), ErrorShape::SimpleJwt, "r").simplejwt_body();
        assert_eq!(bad["code"], "bad_authorization_header");
    }
}
