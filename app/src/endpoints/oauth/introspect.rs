//! `POST /api/token/introspect/`: a resource server asks whether a token counts (RFC 7662).
//!
//! Closed unless the settings name the file of a secret: an open one would tell everybody whose stolen tokens still
//! work. The caller shows the secret as a bearer token (RFC 7662 section 2.1).

use super::form::TokenForm;
use super::{OauthError, OauthErrorBody};
use crate::domain::session::Standing;
use crate::state::AppState;
use crate::store::{AccountStore, SessionStore};
use crate::tokens::ReadClaims;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What is told of a token beside `active`, under the names of RFC 7662 section 2.2.
const TOLD: [&str; 7] = ["scope", "username", "exp", "iat", "sub", "aud", "iss"];

/// A token of any kind.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read by the form's own rules")]
pub struct IntrospectionForm {
    token: String,
    /// Not needed.
    token_type_hint: Option<String>,
}

/// Says whether a token counts at this moment, and if so what it says.
#[utoipa::path(
    post, path = "/api/token/introspect/", operation_id = "introspect_token", tag = "oauth",
    request_body(content = IntrospectionForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, description = "`active`, and the claims of an active token", body = Object),
        (status = BAD_REQUEST, body = OauthErrorBody),
        (status = UNAUTHORIZED, body = OauthErrorBody),
    )
)]
pub async fn introspect(
    State(state): State<AppState>,
    headers: HeaderMap,
    form: Result<TokenForm, OauthError>,
) -> Result<Response, OauthError> {
    // Before the body is judged: a stranger learns nothing.
    if !is_allowed(&state, &headers) {
        return Err(OauthError::InvalidClient);
    }
    let TokenForm(token) = form?;
    let claims = active(&state, &token, Timestamp::now()).await?;
    let body = claims.map_or_else(|| json!({ "active": false }), |claims| tell(&claims));
    Ok(([(CACHE_CONTROL, "no-store")], axum::Json(body)).into_response())
}

fn is_allowed(state: &AppState, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None, Some(secret)) = (values.next(), values.next(), &state.introspection_secret) else {
        return false;
    };
    let Some((scheme, shown)) = value.as_bytes().split_at_checked("bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ")
        && aws_lc_rs::constant_time::verify_slices_are_equal(shown.trim_ascii(), secret.as_bytes()).is_ok()
}

/// The claims of a token that counts.
async fn active(state: &AppState, token: &str, now: Timestamp) -> Result<Option<ReadClaims>, OauthError> {
    let Ok(claims) = state.tokens.read_any(token, now) else { return Ok(None) };
    let grace = state.tokens.config().grace();
    if state.store.standing(claims.sid, claims.jti, now, grace).await? != Standing::Valid {
        return Ok(None);
    }
    let user = state.store.user(claims.user).await?.filter(|user| state.may_sign_in(user));
    Ok(user.map(|_| claims))
}

fn tell(claims: &ReadClaims) -> Value {
    let mut told: Map<String, Value> =
        TOLD.iter().filter_map(|name| Some(((*name).to_owned(), claims.all.get(*name)?.clone()))).collect();
    told.insert("active".to_owned(), json!(true));
    told.insert("jti".to_owned(), json!(claims.jti.simple().to_string()));
    told.insert("sid".to_owned(), json!(claims.sid.simple().to_string()));
    // How it is used (RFC 6749 section 7.1), and under a name of ours what it is.
    told.insert("token_type".to_owned(), json!("Bearer"));
    told.insert("token_use".to_owned(), json!(claims.kind.as_str()));
    Value::Object(told)
}
