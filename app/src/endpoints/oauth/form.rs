//! The body of these requests: a form with a token (RFC 7009 section 2.1, RFC 7662 section 2.1).

use super::OauthError;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;

/// The largest body, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The `token` of a form. `token_type_hint` is not needed: a token of ours says itself what it is.
#[derive(Debug)]
pub struct TokenForm(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for TokenForm {
    type Rejection = OauthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, OauthError> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OauthError::InvalidRequest("the body must be application/x-www-form-urlencoded"));
        }
        let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await;
        let body = body.map_err(|_| OauthError::InvalidRequest("the body is too large"))?;
        let mut tokens = form_urlencoded::parse(&body).filter(|(name, _)| name == "token");
        // A parameter must not come twice (RFC 6749 section 3.1).
        match (tokens.next(), tokens.next()) {
            (Some((_, token)), None) if !token.is_empty() => Ok(Self(token.into_owned())),
            _ => Err(OauthError::InvalidRequest("exactly one token is needed")),
        }
    }
}
