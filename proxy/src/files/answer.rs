//! From a representation to a response: conditions first, then the range (RFC 9110 section 13.2.2).

use super::body::FileBody;
use super::conditional::{self, Outcome};
use super::error::FileError;
use super::multipart::{Multipart, part_of};
use super::range::{self, ByteRange, Selection};
use super::representation::Representation;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

/// What a request gets of a representation.
pub(super) enum Selected {
    /// All of it.
    Whole,
    /// The fields of all of it (RFC 9110 section 9.3.2).
    Head,
    /// The client has it.
    NotModified,
    /// One range.
    Part(ByteRange),
    /// Several.
    Parts(Multipart),
}

/// Answers a GET or HEAD.
///
/// # Errors
/// 412 and 416.
pub(super) fn answer(
    method: &Method,
    request: &HeaderMap,
    representation: &Representation,
) -> Result<Response<FileBody>, FileError> {
    Ok(select(method, request, representation)?.response(representation))
}

/// Decides what a GET or HEAD gets.
///
/// # Errors
/// 412 and 416.
pub(super) fn select(
    method: &Method,
    request: &HeaderMap,
    representation: &Representation,
) -> Result<Selected, FileError> {
    match conditional::evaluate(request, &representation.validators) {
        Outcome::Proceed => {}
        Outcome::NotModified => return Ok(Selected::NotModified),
        Outcome::PreconditionFailed => return Err(FileError::PreconditionFailed),
    }
    if method == Method::HEAD {
        // RFC 9110 section 14.2: a range is for GET only.
        return Ok(Selected::Head);
    }
    if request.contains_key(RANGE) && conditional::range_applies(request, &representation.validators) {
        let size_bytes = representation.content.size();
        match range::select(request, size_bytes) {
            Selection::Whole => {}
            Selection::Part(part) => return Ok(Selected::Part(part)),
            // Without random bytes for a boundary: section 14.2 lets a server ignore the field.
            Selection::Parts(parts) => {
                if let Some(multipart) = Multipart::new(representation, &parts) {
                    return Ok(Selected::Parts(multipart));
                }
            }
            Selection::Unsatisfiable => return Err(FileError::RangeNotSatisfiable { size_bytes }),
        }
    }
    Ok(Selected::Whole)
}

impl Selected {
    /// As a response.
    pub(super) fn response(self, representation: &Representation) -> Response<FileBody> {
        let fields = || representation.headers.clone();
        match self {
            Self::Whole => respond(StatusCode::OK, fields(), representation.body()),
            Self::Head => respond(StatusCode::OK, fields(), FileBody::empty()),
            Self::NotModified => not_modified(representation),
            Self::Part(part) => partial(representation, part),
            Self::Parts(multipart) => several(representation, multipart),
        }
    }
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
