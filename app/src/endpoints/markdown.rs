//! `POST /api/markdown/`: how a text will look.

use crate::domain::markdown;
use crate::domain::note::TEXT_BYTES_MAX;
use crate::error::ApiError;
use crate::extract::{Caller, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A text longer than this is rendered on the blocking pool, in bytes: the longest takes milliseconds, for which every
/// other request of the same worker would wait.
const INLINE_BYTES_MAX: usize = 16 * 1024;

/// A text.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MarkdownInput {
    /// Markdown, at most 256 KiB.
    text: String,
}

/// The text as a page shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarkdownView {
    /// HTML that is safe to show.
    html: String,
}

/// A preview.
#[utoipa::path(post, path = "/api/markdown/", operation_id = "preview_markdown", tag = "notebook", request_body = MarkdownInput,
    responses((status = OK, body = MarkdownView), (status = BAD_REQUEST, description = "validation")))]
pub async fn preview(_caller: Caller, Json(input): Json<MarkdownInput>) -> Result<axum::Json<MarkdownView>, ApiError> {
    if input.text.len() > TEXT_BYTES_MAX {
        return Err(ApiError::validation().with_field("text", format!("At most {TEXT_BYTES_MAX} bytes.")));
    }
    Ok(axum::Json(MarkdownView { html: render(&input.text).await? }))
}

/// Renders a text without holding up the worker.
pub(super) async fn render(text: &str) -> Result<String, ApiError> {
    if text.len() <= INLINE_BYTES_MAX {
        return Ok(markdown::render(text));
    }
    let text = text.to_owned();
    tokio::task::spawn_blocking(move || markdown::render(&text)).await.map_err(|error| {
        tracing::error!(%error, "a text could not be rendered");
        ApiError::internal()
    })
}
