//! `GET /api/openapi.json`: the description of this API, made from the code.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// The document's bytes, made once.
#[derive(Debug, Clone)]
pub struct Document(Bytes);

impl Document {
    /// Writes the document.
    #[must_use]
    pub fn new(api: &utoipa::openapi::OpenApi) -> Self {
        // A tree of strings always serialises.
        Self(api.to_json().unwrap_or_default().into())
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], self.0).into_response()
    }
}
