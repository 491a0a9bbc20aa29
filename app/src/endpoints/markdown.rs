//! `POST /api/markdown/`: how a text will look.

use crate::domain::markdown;
use crate::domain::note::TEXT_BYTES_MAX;
use crate::error::ApiError;
use crate::extract::{Caller, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
#[utoipa::path(post, path = "/api/markdown/", tag = "notebook", request_body = MarkdownInput,
    responses((status = OK, body = MarkdownView), (status = BAD_REQUEST, description = "validation")))]
pub async fn preview(_caller: Caller, Json(input): Json<MarkdownInput>) -> Result<axum::Json<MarkdownView>, ApiError> {
    if input.text.len() > TEXT_BYTES_MAX {
        return Err(ApiError::validation().with_field("text", format!("At most {TEXT_BYTES_MAX} bytes.")));
    }
    Ok(axum::Json(MarkdownView { html: markdown::render(&input.text) }))
}
