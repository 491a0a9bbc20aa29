//! From a representation to a response: conditions first, then the range (RFC 9110 section 13.2.2).

use super::body::FileBody;
use super::conditional::{self, Outcome};
use super::error::FileError;
use super::multipart::{Multipart, part_of};
use super::range::{self, ByteRange, Selection};
use super::representation::{Content, Representation};
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;

/// Answers a GET or HEAD.
///
/// # Errors
/// 412 and 416.
pub(super) fn answer(
    method: &Method,
    request: &HeaderMap,
    representation: &Representation,
) -> Result<Response<FileBody>, FileError> {
    match conditional::evaluate(request, &representation.validators) {
        Outcome::Proceed => {}
        Outcome::NotModified => return Ok(not_modified(representation)),
        Outcome::PreconditionFailed => return Err(FileError::PreconditionFailed),
    }
    if method == Method::HEAD {
        // RFC 9110 section 14.2: a range is for GET only.
        return Ok(respond(StatusCode::OK, representation.headers.clone(), FileBody::empty()));
    }
    if request.contains_key(RANGE) && conditional::range_applies(request, &representation.validators) {
        let size_bytes = representation.content.size();
        match range::select(request, size_bytes) {
            Selection::Whole => {}
            Selection::Part(part) => return Ok(partial(representation, part)),
            // Without random bytes for a boundary: section 14.2 lets a server ignore the field.
            Selection::Parts(parts) => {
                if let Some(multipart) = Multipart::new(representation, &parts) {
                    return Ok(several(representation, multipart));
                }
            }
            Selection::Unsatisfiable => return Err(FileError::RangeNotSatisfiable { size_bytes }),
        }
    }
    let body = match &representation.content {
        Content::Memory(bytes) => FileBody::memory(bytes.clone()),
        Content::File(file, size) => FileBody::stream(Arc::clone(file), 0, *size),
    };
    Ok(respond(StatusCode::OK, representation.headers.clone(), body))
}

/// 304: what updates a stored answer, without what describes a body (RFC 9110 section 15.4.5).
fn not_modified(representation: &Representation) -> Response<FileBody> {
    let mut headers = representation.headers.clone();
    for name in [ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE] {
        headers.remove(name);
    }
    if representation.validators.etag.is_some() {
        headers.remove(LAST_MODIFIED);
    }
    respond(StatusCode::NOT_MODIFIED, headers, FileBody::empty())
}

/// 206 with one part (RFC 9110 section 15.3.7).
fn partial(representation: &Representation, part: ByteRange) -> Response<FileBody> {
    let mut headers = representation.headers.clone();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(part.len()));
    if let Some(value) = part.content_range(representation.content.size()) {
        headers.insert(CONTENT_RANGE, value);
    }
    respond(StatusCode::PARTIAL_CONTENT, headers, part_of(&representation.content, part))
}

/// 206 with several parts, which carry their own `Content-Range` (RFC 9110 section 15.3.7.2). The fields of the
/// representation stay, its coding too: the parts are parts of the coded bytes.
fn several(representation: &Representation, multipart: Multipart) -> Response<FileBody> {
    let mut headers = representation.headers.clone();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(multipart.length));
    headers.insert(CONTENT_TYPE, multipart.content_type);
    respond(StatusCode::PARTIAL_CONTENT, headers, multipart.body)
}

/// Puts a response together.
pub(super) fn respond(status: StatusCode, headers: HeaderMap, body: FileBody) -> Response<FileBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
