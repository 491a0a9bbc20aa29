//! `POST /api/token/`: a pair of tokens for a name and a password.

use super::fields::Fields;
use super::{Detail, Pair, TokenApiError, Uncached};
use crate::state::AppState;
use crate::store::{AccountStore, SessionStore};
use axum::extract::State;
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A name and a password.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body; it is read field by field, as simplejwt reads it")]
pub struct CredentialsBody {
    username: String,
    password: String,
}

/// Signs in: opens a session.
#[utoipa::path(
    post, path = "/api/token/", tag = "tokens", request_body = CredentialsBody,
    responses(
        (status = OK, body = Pair),
        (status = BAD_REQUEST, description = "messages by field", body = Object),
        (status = UNAUTHORIZED, body = Detail),
    )
)]
pub async fn obtain(State(state): State<AppState>, fields: Fields) -> Result<impl IntoResponse, TokenApiError> {
    let [username, password] = fields.texts(["username", "password"])?;
    let found = state.store.credentials(&username).await?;
    let (user, hash) = found.map(|found| (found.user, found.password_hash)).unzip();
    let known = state.passwords.verify(password, hash).await?;
    let user = user.filter(|user| known && user.active).ok_or(TokenApiError::NoAccount)?;
    let now = Timestamp::now();
    let (session, refresh) = (Uuid::new_v4(), state.tokens.new_refresh(now));
    let pair = Pair::sign(&state, &user, session, &refresh, now)?;
    state.store.open_session(session, user.id, &refresh).await?;
    Ok(Uncached(pair))
}
