//! `/api/notes/{id}/`: one note.

use super::view::{NoteInput, NoteView};
use super::{CACHE, find, publish_updated, shown};
use crate::domain::event::{EventKind, NoteEvent};
use crate::domain::note::Note;
use crate::domain::share::Deed;
use crate::endpoints::attachments::release;
use crate::endpoints::clock::now;
use crate::endpoints::complete::complete;
use crate::endpoints::etag::{self, Condition};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path};
use crate::state::AppState;
use crate::store::{ContentChange, NoteStore};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG};
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

/// How often a write that accepts any version starts again because another one came between.
const ATTEMPTS_MAX: usize = 16;

/// One note.
#[utoipa::path(get, path = "/api/notes/{id}/", operation_id = "read_note", tag = "notebook", params(("id" = String, Path)),
    responses((status = OK, body = NoteView), (status = NOT_MODIFIED), (status = NOT_FOUND, description = "not_found")))]
pub async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let note = find(&state, &caller, id, Deed::Read).await?;
    if etag::if_none_match(&headers).is_some_and(|condition| condition.matches(&note)) {
        let fields = [(ETAG, etag::of(&note)), (CACHE_CONTROL, CACHE)];
        return Ok((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    shown(&state, note).await
}

/// Replaces title, text, tags and pin. `If-Match` names the version that the caller changed.
#[utoipa::path(put, path = "/api/notes/{id}/", operation_id = "replace_note", tag = "notebook", request_body = NoteInput,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = OK, body = NoteView), (status = BAD_REQUEST, description = "validation"),
        (status = FORBIDDEN, description = "forbidden"), (status = NOT_FOUND, description = "not_found"),
        (status = PRECONDITION_FAILED, description = "version_conflict"),
        (status = PRECONDITION_REQUIRED, description = "precondition_required")))]
pub async fn replace(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(input): Json<NoteInput>,
) -> Result<Response, ApiError> {
    let condition = etag::if_match(&headers)?;
    find(&state, &caller, id, Deed::Write).await?;
    input.complete()?;
    complete(write(state, caller, id, condition, input)).await
}

/// Changes some of title, text, tags and pin. `If-Match` names the version that the caller changed.
#[utoipa::path(patch, path = "/api/notes/{id}/", operation_id = "change_note", tag = "notebook", request_body = NoteInput,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = OK, body = NoteView), (status = BAD_REQUEST, description = "validation"),
        (status = FORBIDDEN, description = "forbidden"), (status = NOT_FOUND, description = "not_found"),
        (status = PRECONDITION_FAILED, description = "version_conflict"),
        (status = PRECONDITION_REQUIRED, description = "precondition_required")))]
pub async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(input): Json<NoteInput>,
) -> Result<Response, ApiError> {
    let condition = etag::if_match(&headers)?;
    complete(write(state, caller, id, condition, input)).await
}

async fn write(
    state: AppState,
    caller: Caller,
    id: Uuid,
    condition: Option<Condition>,
    input: NoteInput,
) -> Result<Response, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        // Conditions come last: what would fail without them fails for its own reason (RFC 9110 section 13.2.1).
        let note = find(&state, &caller, id, Deed::Write).await?;
        let content = input.apply(note.content)?;
        let condition = condition.as_ref().ok_or_else(etag::required)?;
        if !condition.allows_write(note.version) {
            return Err(etag::conflict(note.version));
        }
        // Lists are ordered by this, so that it never runs backwards with the clock.
        let updated_at = now().max(note.updated_at);
        let seen_version = note.version;
        let change = ContentChange { id, writer: caller.user.id, seen_version, content: &content, updated_at };
        if state.store.replace_content(&change).await? {
            let version = seen_version + 1;
            publish_updated(&state, &caller, id, version).await;
            return shown(&state, Note { content, updated_at, version, ..note }).await;
        }
        // Another writer came between. Whoever named a version finds above that it is gone.
    }
    Err(ApiError::unavailable("busy"))
}

/// Removes a note and what hangs on it; only its owner can. `If-Match` is honoured when there is one.
#[utoipa::path(delete, path = "/api/notes/{id}/", operation_id = "remove_note", tag = "notebook", params(("id" = String, Path)),
    responses((status = NO_CONTENT), (status = FORBIDDEN, description = "forbidden"),
        (status = NOT_FOUND, description = "not_found"), (status = PRECONDITION_FAILED, description = "version_conflict")))]
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let condition = etag::if_match(&headers)?.unwrap_or(Condition::Any);
    complete(async move {
        for _ in 0..ATTEMPTS_MAX {
            let note = find(&state, &caller, id, Deed::Delete).await?;
            if !condition.allows_write(note.version) {
                return Err(etag::conflict(note.version));
            }
            let Some(removed) = state.store.remove_note(caller.user.id, id, note.version).await? else { continue };
            let event = NoteEvent {
                kind: EventKind::Deleted,
                note_id: id,
                version: note.version + 1,
                by: caller.user.username.into_string(),
                audience: removed.audience,
            };
            state.publish(event).await;
            for digest in removed.digests {
                release(&state, digest).await;
            }
            return Ok(StatusCode::NO_CONTENT);
        }
        Err(ApiError::unavailable("busy"))
    })
    .await
}
