//! `/api/attachments/{id}/`: downloads, which the edge serves, and the end of attachments.

mod disposition;
mod upload;

pub use upload::{__path_upload, upload};

use super::complete::complete;
use super::etag::quoted;
use super::notes::{find, publish_updated};
use crate::domain::attachment::{CONTENT_TYPE_DEFAULT, Digest};
use crate::domain::note::Attachment;
use crate::domain::share::Deed;
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::state::AppState;
use crate::store::{AttachmentStore, StoreError};
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use uuid::Uuid;

/// Names the file that the edge serves instead of our empty body; it never reaches a client.
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// The bytes of an attachment. The answer names the file; the edge serves it, with ranges and conditions.
#[utoipa::path(get, path = "/api/attachments/{id}/", operation_id = "download_attachment", tag = "notebook", params(("id" = String, Path)),
    responses((status = OK, description = "the file, as application/octet-stream or what its uploader claimed"),
        (status = NOT_FOUND, description = "not_found")))]
pub async fn download(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<impl IntoResponse, ApiError> {
    let attachment = visible(&state, &caller, id).await?;
    let value = |text: String| HeaderValue::try_from(text).map_err(|_| ApiError::internal());
    let content_type =
        HeaderValue::try_from(attachment.content_type).unwrap_or(HeaderValue::from_static(CONTENT_TYPE_DEFAULT));
    Ok(HeaderMap::from_iter([
        (X_ACCEL_REDIRECT, value(format!("/{}", attachment.digest.path()))?),
        (CONTENT_TYPE, content_type),
        (CONTENT_DISPOSITION, disposition::attachment(&attachment.name)),
        (ETAG, quoted(&attachment.digest.to_string())),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        // What a user uploaded is shown as what it claims to be and runs nothing.
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
    ]))
}

/// Removes an attachment from its note.
#[utoipa::path(delete, path = "/api/attachments/{id}/", operation_id = "remove_attachment", tag = "notebook", params(("id" = String, Path)),
    responses((status = NO_CONTENT), (status = FORBIDDEN, description = "forbidden"),
        (status = NOT_FOUND, description = "not_found")))]
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    let attachment = visible(&state, &caller, id).await?;
    find(&state, &caller, attachment.note_id, Deed::Write).await?;
    complete(async move {
        let removed = state.store.remove_attachment(caller.user.id, &attachment).await?;
        let version = removed.ok_or_else(ApiError::not_found)?;
        publish_updated(&state, &caller, attachment.note_id, version).await;
        release(&state, attachment.digest).await;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn visible(state: &AppState, caller: &Caller, id: Uuid) -> Result<Attachment, ApiError> {
    state.store.attachment(caller.user.id, id).await?.ok_or_else(ApiError::not_found)
}

/// Removes the file of a content that no attachment has any more. What fails here costs disk space, not data, and
/// the change that led here stands already, so that it is only logged.
pub(super) async fn release(state: &AppState, digest: Digest) {
    let released = async {
        let lock = state.files.lock(digest).await?;
        if !state.store.is_referenced(digest).await? {
            lock.remove().await?;
        }
        Ok::<_, StoreError>(())
    };
    if let Err(error) = released.await {
        tracing::warn!(%digest, error = &error as &dyn std::error::Error, "an attachment's file may be left over");
    }
}

/// Releases every file that no attachment has any more: a process that was killed between the file and its row left
/// one. Safe at any time, beside any number of uploads.
pub async fn sweep(state: AppState) {
    match state.files.digests().await {
        Ok(digests) => {
            for digest in digests {
                release(&state, digest).await;
            }
        }
        Err(error) => tracing::warn!(%error, "attachments that nobody needs may be left over"),
    }
}
