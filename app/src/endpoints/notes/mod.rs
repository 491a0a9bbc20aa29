//! `/api/notes/`: lists of notes and new ones.

mod one;
mod view;

pub use one::{__path_change, __path_read, __path_remove, __path_replace, change, read, remove, replace};
pub use view::{AttachmentView, NoteInput, NoteSummary, NoteView, ShareView};

use super::clock::now;
use super::complete::complete;
use super::etag;
use super::markdown::render;
use crate::domain::cursor::{self, Cursor};
use crate::domain::event::{EventKind, NoteEvent};
use crate::domain::note::{NOTES_PER_OWNER_MAX, Note};
use crate::domain::share::{Access, Deed};
use crate::domain::{search, tag};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Query};
use crate::state::AppState;
use crate::store::{AttachmentStore, NewNote, NoteListStore, NotePage, NoteQuery, NoteStore, ShareStore};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Which notes.
#[derive(Debug, Deserialize)]
pub struct ListParameters {
    /// Words, each of which must occur in title, text or tags.
    #[serde(default)]
    q: String,
    /// A tag that the note must have.
    tag: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 100, 20 when absent.
    limit: Option<String>,
}

impl ListParameters {
    fn query(self) -> Result<NoteQuery, ApiError> {
        let field = |name: &'static str, message: String| ApiError::validation().with_field(name, message);
        let present = |text: &String| !text.is_empty();
        Ok(NoteQuery {
            words: search::words(&self.q).map_err(|error| field("q", error.to_string()))?,
            tag: self
                .tag
                .filter(present)
                .map(|tag| tag::normalise(&tag))
                .transpose()
                .map_err(|error| field("tag", error.to_string()))?,
            after: self
                .cursor
                .filter(present)
                .map(|cursor| Cursor::decode(&cursor))
                .transpose()
                .map_err(|error| field("cursor", error.to_string()))?,
            limit: cursor::limit(self.limit.as_deref()).map_err(|error| field("limit", error.to_string()))?,
        })
    }
}

/// One page of notes.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteListView {
    items: Vec<NoteSummary>,
    /// Where the next page goes on; null at the end.
    next: Option<String>,
}

impl From<NotePage> for NoteListView {
    fn from(page: NotePage) -> Self {
        Self {
            items: page.notes.into_iter().map(NoteSummary::from).collect(),
            next: page.next.map(|next| next.encode()),
        }
    }
}

/// The notes that the caller can see: pinned first, then the newest change. A page of very long notes may hold fewer
/// than the limit.
#[utoipa::path(get, path = "/api/notes/", operation_id = "list_notes", tag = "notebook", params(
        ("q" = Option<String>, Query, description = "words, each of which must occur in title, text or tags"),
        ("tag" = Option<String>, Query, description = "a tag that the note must have"),
        ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent")),
    responses((status = OK, body = NoteListView), (status = BAD_REQUEST, description = "validation")))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(parameters): Query<ListParameters>,
) -> Result<impl IntoResponse, ApiError> {
    let page = state.store.notes(caller.user.id, &parameters.query()?).await?;
    Ok(([(CACHE_CONTROL, "private, no-cache")], axum::Json(NoteListView::from(page))))
}

/// A new note of the caller.
#[utoipa::path(post, path = "/api/notes/", operation_id = "create_note", tag = "notebook", request_body = NoteInput,
    responses((status = CREATED, body = NoteView), (status = BAD_REQUEST, description = "validation"),
        (status = CONFLICT, description = "limit_reached")))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(input): Json<NoteInput>,
) -> Result<Response, ApiError> {
    let new = NewNote { id: Uuid::now_v7(), owner_id: caller.user.id, content: input.create()?, created_at: now() };
    complete(async move {
        if !state.store.add_note(&new, NOTES_PER_OWNER_MAX).await? {
            return Err(ApiError::new(StatusCode::CONFLICT, "limit_reached", "Too many notes")
                .with_detail(format!("at most {NOTES_PER_OWNER_MAX} per user")));
        }
        let event = NoteEvent {
            kind: EventKind::Created,
            note_id: new.id,
            version: 1,
            by: caller.user.username.as_str().to_owned(),
            audience: vec![caller.user.id],
        };
        state.publish(event).await;
        let location = format!("/api/notes/{}/", new.id);
        let note = Note {
            id: new.id,
            owner: caller.user.username.into_string(),
            access: Access::Owner,
            content: new.content,
            created_at: new.created_at,
            updated_at: new.created_at,
            version: 1,
            detail: 0,
            attachment_count: 0,
        };
        Ok((StatusCode::CREATED, [(LOCATION, location)], shown(&state, note).await?).into_response())
    })
    .await
}

/// A note with all that hangs on it and its tag.
async fn shown(state: &AppState, note: Note) -> Result<Response, ApiError> {
    // A note that nothing ever hung on needs no further look.
    let (shares, attachments) = match (note.detail, note.access.allows(Deed::Share)) {
        (0, _) => (Vec::new(), Vec::new()),
        (_, true) => (state.store.shares(note.id).await?, state.store.attachments(note.id).await?),
        (_, false) => (Vec::new(), state.store.attachments(note.id).await?),
    };
    let tag = etag::of(&note);
    let html = render(note.content.text()).await?;
    let view = NoteView::new(note, html, shares, attachments);
    Ok(([(ETAG, tag), (CACHE_CONTROL, CACHE)], axum::Json(view)).into_response())
}

/// A browser may keep a note, but asks each time whether it is still the same.
const CACHE: http::HeaderValue = http::HeaderValue::from_static("private, no-cache");

/// A note that the caller can see and may treat like that.
///
/// # Errors
/// 404 when it is not there for him, 403 when he sees it but may not.
pub(super) async fn find(state: &AppState, caller: &Caller, id: Uuid, deed: Deed) -> Result<Note, ApiError> {
    let note = state.store.note(caller.user.id, id).await?.ok_or_else(ApiError::not_found)?;
    if note.access.allows(deed) { Ok(note) } else { Err(ApiError::forbidden()) }
}

/// Tells everybody who can see a note that it is another.
pub(super) async fn publish_updated(state: &AppState, caller: &Caller, note_id: Uuid, version: i64) {
    // The change is committed: that its news can't be told now is no reason to call it failed.
    match state.store.audience(note_id).await {
        Ok(audience) => {
            let by = caller.user.username.as_str().to_owned();
            state.publish(NoteEvent { kind: EventKind::Updated, note_id, version, by, audience }).await;
        }
        Err(error) => tracing::warn!(%note_id, error = &error as &dyn std::error::Error, "a change was not announced"),
    }
}
