//! A refusal as the client may see it: status, stable code, challenge, and the exact reason for the log.

use super::budget::Spent;
use super::codes;
use super::dpop::{ALGORITHM_NAMES, BindingFault, DpopChallenge, DpopFault};
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
    /// A cookie in a request that a page of another origin may have made.
    CrossOrigin,
    /// A cookie in a request without the double-submit token of its session.
    Csrf(CsrfProblem),
    /// A client that has sent too many bad tokens.
    Spent(Spent),
    /// A token without the proof of its key.
    Dpop(DpopFault),
}

/// What is wrong with the double-submit token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CsrfProblem {
    /// Not there once in the cookie and once in the field, or not alike.
    Missing,
    /// Not made for this session.
    Wrong,
}

/// The answer to a request that may not go on. What is shown says no more than the client has proved to know; see
/// [`Reject::genuine`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    cause: Cause,
    shape: ErrorShape,
    realm: String,
    /// On routes that know DPoP.
    dpop: Option<Box<DpopChallenge>>,
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
        Self { cause, shape, realm: realm.to_owned(), dpop: None }
    }

    /// With what the route asks about DPoP.
    pub(super) fn challenging(self, dpop: Option<DpopChallenge>) -> Self {
        Self { dpop: dpop.map(Box::new), ..self }
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
            Cause::CrossOrigin => word(&codes::CROSS_ORIGIN, None, "A page of another origin may not use the cookie"),
            Cause::Csrf(_) => word(&codes::CSRF_TOKEN, None, "The CSRF token is missing or wrong"),
            Cause::Spent(_) => word(&codes::TOO_MANY_BAD_TOKENS, None, "Too many tokens of this client were bad"),
            Cause::Dpop(fault) => Self::about_proof(*fault),
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

    /// RFC 9449 section 7.1. The token is genuine, so its sender may hear whether it or the proof is wrong.
    fn about_proof(fault: DpopFault) -> Wording {
        let word = |code, error, description| Wording { code, error: Some(error), description };
        let binding = |description| word(&codes::DPOP_BINDING, "invalid_token", description);
        match fault {
            DpopFault::Binding(BindingFault::Unbound) => binding("The token is bound to no key"),
            DpopFault::Binding(BindingFault::WithoutProof) => {
                binding("The token is bound to a key and needs a DPoP proof")
            }
            DpopFault::Binding(BindingFault::Key | BindingFault::Confirmation) => binding("Invalid DPoP key binding"),
            DpopFault::Proof(_) => {
                word(&codes::DPOP_PROOF_INVALID, "invalid_dpop_proof", "The DPoP proof is missing or not valid")
            }
            DpopFault::Nonce => {
                word(&codes::DPOP_NONCE_NEEDED, "use_dpop_nonce", "The DPoP proof needs a nonce of this server")
            }
            DpopFault::Full => Wording {
                code: &codes::DPOP_UNAVAILABLE,
                error: None,
                description: "DPoP proofs can not be checked now",
            },
        }
    }

    /// 400, 401, 403, 429 or 503.
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

    /// `WWW-Authenticate` (RFC 6750 section 3, RFC 9449 section 7.1), except where another token would not help.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        let Wording { code, error, description } = self.wording();
        let another_token_helps =
            !matches!(code.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
                && !matches!(self.cause, Cause::CrossOrigin | Cause::Csrf(_));
        if !another_token_helps {
            return None;
        }
        let bearer = self.dpop.as_ref().is_none_or(|dpop| dpop.beside_bearer);
        let mut challenge = String::from(if bearer { "Bearer realm=" } else { "DPoP realm=" });
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
        if self.dpop.is_some() {
            challenge.push_str(if bearer { ", DPoP algs=" } else { ", algs=" });
            quote(&mut challenge, ALGORITHM_NAMES);
        }
        HeaderValue::try_from(challenge).ok()
    }

    /// `DPoP-Nonce` (RFC 9449 section 8.2): with every 401 where proofs need one, so that the next request can have it.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<&HeaderValue> {
        self.dpop.as_ref()?.nonce.as_ref().filter(|_| self.status() == StatusCode::UNAUTHORIZED)
    }

    /// `Retry-After`, with 429 and 503.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            // Whole seconds are all that the field holds: better one too many than one too few.
            Cause::Spent(spent) => Some(Duration::from_secs(spent.retry_after.as_secs() + 1)),
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER),
        }
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
            Cause::CrossOrigin => "cross_origin",
            Cause::Csrf(CsrfProblem::Missing) => "csrf_token_missing",
            Cause::Csrf(CsrfProblem::Wrong) => "csrf_token_wrong",
            Cause::Spent(_) => "bad_tokens_spent",
            Cause::Dpop(fault) => fault.as_str(),
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
            Cause::CrossOrigin => json!({"detail": "CSRF Failed: Origin checking failed."}),
            Cause::Csrf(CsrfProblem::Missing) => json!({"detail": "CSRF Failed: CSRF token missing."}),
            Cause::Csrf(CsrfProblem::Wrong) => json!({"detail": "CSRF Failed: CSRF token incorrect."}),
            Cause::Spent(spent) => {
                let seconds = spent.retry_after.as_secs() + 1;
                let unit = if seconds == 1 { "second" } else { "seconds" };
                json!({"detail": format!("Request was throttled. Expected available in {seconds} {unit}.")})
            }
            Cause::Dpop(DpopFault::Full) => json!({"detail": "Service temporarily unavailable, try again later."}),
            Cause::Several => json!({"detail": "More than one credential in one request."}),
            Cause::RevocationsUnavailable | Cause::Token(Reject { reason: Reason::KeysUnavailable, .. }) => {
                json!({"detail": "Service temporarily unavailable, try again later."})
            }
            Cause::Token(Reject { reason: Reason::Expired, genuine: true }) => not_valid("Token is expired"),
            Cause::Token(Reject { reason: Reason::WrongKind, genuine: true }) => not_valid("Token has wrong type"),
            Cause::Token(_) | Cause::Audience | Cause::Dpop(_) => not_valid("Token is invalid"),
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
            (Cause::CrossOrigin, 403, "cross_origin", None),
            (Cause::Csrf(CsrfProblem::Wrong), 403, "csrf_token_invalid", None),
            (Cause::Spent(Spent { retry_after: Duration::from_millis(2500) }), 429, "too_many_bad_tokens", None),
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
            let retry_after = refusal.retry_after().map(|after| after.as_secs());
            assert_eq!(
                retry_after,
                [(429, 3), (503, 2)].iter().find(|(with, _)| *with == status).map(|(_, after)| *after)
            );
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
