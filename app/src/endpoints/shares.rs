//! `/api/notes/{id}/shares/{username}/`: who else sees a note.

use super::complete::complete;
use super::notes::{ShareView, find, publish_updated};
use crate::domain::account::{User, Username, fold};
use crate::domain::event::{EventKind, NoteEvent};
use crate::domain::note::Share;
use crate::domain::share::{Deed, SHARES_PER_NOTE_MAX, ShareRole, UnknownRole};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path};
use crate::state::AppState;
use crate::store::{AccountStore, AddedShare, ShareStore};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a share grants.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ShareInput {
    /// `viewer` or `editor`.
    role: String,
}

/// Shares the caller's note with another user, or changes what the share grants.
#[utoipa::path(put, path = "/api/notes/{id}/shares/{username}/", operation_id = "put_share", tag = "notebook", request_body = ShareInput,
    params(("id" = String, Path), ("username" = String, Path)),
    responses((status = OK, body = ShareView), (status = BAD_REQUEST, description = "validation"),
        (status = FORBIDDEN, description = "forbidden"), (status = NOT_FOUND, description = "not_found"),
        (status = CONFLICT, description = "self, limit_reached")))]
pub async fn put(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, username)): Path<(Uuid, String)>,
    Json(input): Json<ShareInput>,
) -> Result<axum::Json<ShareView>, ApiError> {
    find(&state, &caller, id, Deed::Share).await?;
    let role: ShareRole = input
        .role
        .parse()
        .map_err(|error: UnknownRole| ApiError::validation().with_field("role", error.to_string()))?;
    let user = named(&state, &username).await?;
    if user.id == caller.user.id {
        return Err(ApiError::new(StatusCode::CONFLICT, "self", "The note is yours"));
    }
    complete(async move {
        match state.store.add_share(caller.user.id, id, user.id, role).await? {
            AddedShare::Added { version } => {
                publish(&state, &caller, EventKind::Shared, id, version, user.id).await;
                publish_updated(&state, &caller, id, version).await;
                Ok(axum::Json(Share { username: user.username.into_string(), role }.into()))
            }
            AddedShare::NoNote => Err(ApiError::not_found()),
            AddedShare::Full => Err(ApiError::new(StatusCode::CONFLICT, "limit_reached", "Too many shares")
                .with_detail(format!("at most {SHARES_PER_NOTE_MAX} per note"))),
        }
    })
    .await
}

/// Takes a share away: the owner anybody's, everybody else his own.
#[utoipa::path(delete, path = "/api/notes/{id}/shares/{username}/", operation_id = "remove_share", tag = "notebook",
    params(("id" = String, Path), ("username" = String, Path)),
    responses((status = NO_CONTENT), (status = FORBIDDEN, description = "forbidden"),
        (status = NOT_FOUND, description = "not_found")))]
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, username)): Path<(Uuid, String)>,
) -> Result<StatusCode, ApiError> {
    let note = find(&state, &caller, id, Deed::Read).await?;
    let own = caller.user.username.folded() == fold(&username);
    let deed = if own && note.access.allows(Deed::Leave) { Deed::Leave } else { Deed::Share };
    if !note.access.allows(deed) {
        return Err(ApiError::forbidden());
    }
    let user = named(&state, &username).await?;
    complete(async move {
        let version = state.store.remove_share(id, user.id).await?.ok_or_else(ApiError::not_found)?;
        publish(&state, &caller, EventKind::Unshared, id, version, user.id).await;
        publish_updated(&state, &caller, id, version).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn named(state: &AppState, username: &str) -> Result<User, ApiError> {
    // A text that can be nobody's name may hold what a database refuses.
    let user = match Username::parse(username) {
        Ok(username) => state.store.user_named(username.as_str()).await?,
        Err(_) => None,
    };
    user.ok_or_else(|| ApiError::not_found().with_detail("there is no user of that name"))
}

/// Tells the user whose share it is.
async fn publish(state: &AppState, caller: &Caller, kind: EventKind, note_id: Uuid, version: i64, user: Uuid) {
    let by = caller.user.username.as_str().to_owned();
    state.publish(NoteEvent { kind, note_id, version, by, audience: vec![user] }).await;
}
