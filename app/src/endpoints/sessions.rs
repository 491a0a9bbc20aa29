//! `/api/sessions/` and `/api/logout/`: where one is signed in, and the ends of it.

use super::cookies;
use crate::domain::session::{Session, Sessions};
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::state::AppState;
use crate::store::SessionListStore;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One session as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    id: String,
    /// Whether this request belongs to it.
    current: bool,
    /// When it was opened (RFC 3339).
    created_at: String,
    /// When tokens were last given for it.
    last_used_at: String,
    /// When it ends by itself unless it is refreshed.
    expires_at: String,
    /// What the client called itself at the sign-in.
    user_agent: String,
    /// Where the client was at the sign-in; empty where the edge does not tell.
    address: String,
}

/// All sessions of the caller, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionListView {
    items: Vec<SessionView>,
}

/// How many sessions have ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ended {
    ended: usize,
}

impl SessionView {
    fn new(session: Session, current: Option<Uuid>) -> Self {
        let Session { id, created_at, last_used_at, expires_at, user_agent, address } = session;
        Self {
            id: id.to_string(),
            current: current == Some(id),
            created_at: created_at.to_string(),
            last_used_at: last_used_at.to_string(),
            expires_at: expires_at.to_string(),
            user_agent,
            address,
        }
    }
}

/// Where the caller is signed in.
#[utoipa::path(get, path = "/api/sessions/", operation_id = "list_sessions", tag = "sessions",
    responses((status = OK, body = SessionListView)))]
pub async fn list(State(state): State<AppState>, caller: Caller) -> Result<axum::Json<SessionListView>, ApiError> {
    let sessions = state.store.sessions(caller.user.id, Timestamp::now()).await?;
    let items = sessions.into_iter().map(|session| SessionView::new(session, caller.session)).collect();
    Ok(axum::Json(SessionListView { items }))
}

/// Ends one session of the caller: its tokens stop working at every edge.
#[utoipa::path(delete, path = "/api/sessions/{id}/", operation_id = "end_session", tag = "sessions",
    params(("id" = String, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND, description = "not_found")))]
pub async fn end(State(state): State<AppState>, caller: Caller, Path(id): Path<Uuid>) -> Result<Response, ApiError> {
    if end_all(&state, &caller, Sessions::One(id)).await? == 0 {
        return Err(ApiError::not_found());
    }
    Ok(gone(&state, caller.session == Some(id)))
}

/// Ends the session that this request belongs to.
#[utoipa::path(post, path = "/api/logout/", operation_id = "log_out", tag = "sessions",
    responses((status = NO_CONTENT), (status = CONFLICT, description = "no_session")))]
pub async fn log_out(State(state): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let session = caller
        .session
        .ok_or_else(|| ApiError::new(StatusCode::CONFLICT, "no_session", "The token belongs to no session"))?;
    end_all(&state, &caller, Sessions::One(session)).await?;
    Ok(gone(&state, true))
}

/// Ends every session of the caller, this one too.
#[utoipa::path(post, path = "/api/logout/all/", operation_id = "log_out_everywhere", tag = "sessions",
    responses((status = OK, body = Ended)))]
pub async fn log_out_everywhere(State(state): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let ended = end_all(&state, &caller, Sessions::All).await?;
    let mut response = axum::Json(Ended { ended }).into_response();
    if state.tokens.config().browser.is_some() {
        cookies::take(response.headers_mut());
    }
    Ok(response)
}

async fn end_all(state: &AppState, caller: &Caller, which: Sessions) -> Result<usize, ApiError> {
    let (user, now) = (caller.user.id, Timestamp::now());
    let ended = state.store.end_sessions(user, which, now, state.tokens.outlived(now)).await?;
    if ended > 0 {
        state.sessions_ended(user);
    }
    Ok(ended)
}

/// 204; the cookies of a session that was the caller's own go.
fn gone(state: &AppState, own: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if own && state.tokens.config().browser.is_some() {
        cookies::take(response.headers_mut());
    }
    response
}
