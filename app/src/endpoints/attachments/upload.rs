//! `POST /api/notes/{id}/attachments/`: a streamed upload.

use super::super::clock::now;
use super::super::complete::complete;
use super::super::notes::{AttachmentView, find, publish_updated};
use super::release;
use crate::domain::attachment::{ATTACHMENTS_PER_NOTE_MAX, CONTENT_TYPE_DEFAULT, content_type, file_name};
use crate::domain::note::Attachment;
use crate::domain::share::Deed;
use crate::error::ApiError;
use crate::extract::{Caller, Path, Query};
use crate::state::AppState;
use crate::store::{AddedAttachment, AttachmentStore, Received, UploadError};
use axum::body::Body;
use axum::extract::State;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use serve::BodyError;
use uuid::Uuid;

/// What an upload is called.
#[derive(Debug, Deserialize)]
pub struct UploadParameters {
    /// The file's name.
    name: Option<String>,
}

/// Hangs a file on a note: the body is the file.
#[utoipa::path(post, path = "/api/notes/{id}/attachments/", operation_id = "upload_attachment", tag = "notebook",
    params(("id" = String, Path), ("name" = String, Query, description = "the file's name")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = CREATED, body = AttachmentView), (status = BAD_REQUEST, description = "validation"),
        (status = FORBIDDEN, description = "forbidden"), (status = NOT_FOUND, description = "not_found"),
        (status = CONFLICT, description = "limit_reached"), (status = PAYLOAD_TOO_LARGE, description = "too_large")))]
pub async fn upload(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(parameters): Query<UploadParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<AttachmentView>), ApiError> {
    let note = find(&state, &caller, id, Deed::Write).await?;
    let name = parameters.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::validation().with_field("name", "This field is required."))?;
    let content_type = claimed_type(&headers)?;
    // Checked once more when it is added; here so that nobody uploads in vain.
    if usize::try_from(note.attachment_count).is_ok_and(|count| count >= ATTACHMENTS_PER_NOTE_MAX) {
        return Err(full());
    }
    let received = receive(&state, &headers, body).await?;
    complete(async move {
        let attachment = Attachment {
            id: Uuid::now_v7(),
            note_id: id,
            name: file_name(&name),
            size_bytes: i64::try_from(received.size_bytes).map_err(|_| ApiError::internal())?,
            content_type,
            digest: received.digest,
            created_at: now(),
        };
        let version = keep(&state, &caller, received, &attachment).await?;
        publish_updated(&state, &caller, id, version).await;
        Ok((StatusCode::CREATED, axum::Json(attachment.into())))
    })
    .await
}

/// The bytes to the disk, before any row knows of them.
async fn receive(state: &AppState, headers: &HeaderMap, mut body: Body) -> Result<Received, ApiError> {
    let bytes_max = state.config.attachment_bytes_max;
    // Said before a byte is read, so that a client that waits for `100 Continue` sends none.
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > bytes_max) {
        return Err(ApiError::too_large(bytes_max));
    }
    let mut upload = state.files.receive(bytes_max).await.map_err(|error| failed(&error.into()))?;
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                // Dropping would remove it too, but later than the answer.
                upload.discard().await.map_err(|error| failed(&error.into()))?;
                return Err(broken(&error));
            }
        };
        // Trailers carry nothing that we keep.
        if let Ok(bytes) = frame.into_data() {
            upload.write(bytes).await.map_err(|error| failed(&error))?;
        }
    }
    upload.finish().await.map_err(|error| failed(&error))
}

/// File and row together: the digest's lock is held until the row is committed, so that nobody takes the file for
/// forgotten meanwhile.
async fn keep(state: &AppState, caller: &Caller, received: Received, attachment: &Attachment) -> Result<i64, ApiError> {
    let lock = state.files.lock(received.digest).await.map_err(|error| failed(&error.into()))?;
    lock.put(received).await.map_err(|error| failed(&error.into()))?;
    // If this fails, nobody knows whether the row is there: the file stays.
    let added = state.store.add_attachment(caller.user.id, attachment).await?;
    drop(lock);
    let refused = match added {
        AddedAttachment::Added { version } => return Ok(version),
        AddedAttachment::NoNote => ApiError::not_found(),
        AddedAttachment::Full => full(),
    };
    release(state, attachment.digest).await;
    Err(refused)
}

fn claimed_type(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(claimed) = headers.get(CONTENT_TYPE) else { return Ok(CONTENT_TYPE_DEFAULT.to_owned()) };
    content_type(claimed.to_str().unwrap_or_default())
        .map(str::to_owned)
        .map_err(|error| ApiError::validation().with_field("content_type", error.to_string()))
}

fn full() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "limit_reached", "Too many attachments")
        .with_detail(format!("at most {ATTACHMENTS_PER_NOTE_MAX} per note"))
}

fn failed(error: &UploadError) -> ApiError {
    match error {
        UploadError::TooLarge { bytes_max } => ApiError::too_large(*bytes_max),
        UploadError::Io(io) => {
            tracing::error!(error = io as &dyn std::error::Error, "an attachment could not be kept");
            if io.kind() == std::io::ErrorKind::StorageFull { ApiError::storage_full() } else { ApiError::internal() }
        }
    }
}

/// Why the body ended before its end, as the connection says it.
fn broken(error: &axum::Error) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<BodyError>() {
            Some(BodyError::TooLarge { limit_bytes }) => return ApiError::too_large(*limit_bytes),
            Some(BodyError::TooSlow) => {
                return ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body came too slowly");
            }
            Some(_) | None => cause = error.source(),
        }
    }
    ApiError::bad_request("the body ended before its end")
}
