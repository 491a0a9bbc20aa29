//! How tokens reach their client and come back: in bodies, or in cookies that no script can read.

use super::fields::Fields;
use super::{TokenApiError, Uncached};
use crate::domain::account::User;
use crate::domain::session::Refresh;
use crate::endpoints::cookies::{self, CsrfFault};
use crate::state::AppState;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Tokens that are given out.
pub(super) struct Grant<'request> {
    pub(super) user: &'request User,
    pub(super) session: Uuid,
    /// The next link of the chain; none where refresh tokens are not rotated.
    pub(super) refresh: Option<&'request Refresh>,
    pub(super) now: Timestamp,
}

/// A refresh token and an access token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pair {
    /// Used once, to get the next pair. Absent where refresh tokens are not rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    /// Goes into `Authorization: Bearer`.
    access: String,
}

/// What is told of tokens in cookies.
#[derive(Debug, Serialize)]
struct InCookies {
    /// When to refresh, in seconds.
    access_expires_in: u64,
}

impl Grant<'_> {
    /// The answer that brings the tokens.
    pub(super) fn deliver(&self, state: &AppState) -> Result<Response, TokenApiError> {
        let Self { user, session, refresh, now } = *self;
        let refresh = refresh.map(|refresh| state.tokens.sign_refresh(user, session, refresh)).transpose()?;
        let access = state.tokens.sign_access(user, session, now)?;
        let config = state.tokens.config();
        if config.browser.is_none() {
            return Ok(Uncached(Pair { refresh, access }).into_response());
        }
        let mut response = Uncached(InCookies { access_expires_in: config.access_lifetime.as_secs() }).into_response();
        let csrf = cookies::mint_csrf(&state.edge, session);
        cookies::give(response.headers_mut(), config, &access, refresh.as_deref(), &csrf);
        Ok(response)
    }
}

/// The refresh token of a request: of the body, or of the cookie when tokens travel there. From a cookie it comes only
/// with a page of ours behind it.
pub(super) fn refresh_token(state: &AppState, headers: &HeaderMap, fields: Fields) -> Result<String, TokenApiError> {
    match &state.tokens.config().browser {
        None => {
            let [token] = fields.texts(["refresh"])?;
            Ok(token)
        }
        Some(browser) => {
            cookies::check_origin(headers, browser)?;
            let token = cookies::read(headers, cookies::REFRESH).map(str::to_owned);
            token.ok_or_else(|| TokenApiError::required("refresh"))
        }
    }
}

/// Whether a request whose token came from a cookie repeats the CSRF token of this session.
pub(super) fn check_csrf(state: &AppState, headers: &HeaderMap, session: Uuid) -> Result<(), CsrfFault> {
    match state.tokens.config().browser {
        None => Ok(()),
        Some(_) => cookies::check_csrf(&state.edge, headers, session),
    }
}
