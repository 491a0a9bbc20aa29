//! The answer to a cause: a problem with its fields, or what simplejwt would say.

use super::{Cause, Wording};
use crate::auth::DPOP_NONCE;
use crate::config::ErrorShape;
use crate::files::{self, FileError};
use crate::http::body::ProxyBody;
use crate::http::context::RequestContext;
use crate::http::max_forwards::ALLOW_USUAL;
use crate::upstream::UpstreamError;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use serve::contract::problem::{PROBLEM_JSON, Problem, Source};

impl Cause {
    /// The answer.
    pub(in crate::http) fn into_response(self, context: &RequestContext) -> Response<ProxyBody> {
        let Wording { code, detail } = self.wording();
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = match &self {
            Self::Refused(refusal) if refusal.shape() == ErrorShape::SimpleJwt => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                refusal.simplejwt_body().to_string().into_bytes()
            }
            _ => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
                let title = code.status.canonical_reason().unwrap_or("Error");
                let mut problem =
                    Problem::new(code.status, code.code, title, Source::Edge, context.request_id.as_str());
                problem.detail = detail;
                // "Which hop, and what did it try?" comes first when a gateway fails.
                if code.status.is_server_error()
                    && let Some(upstream) = &context.upstream
                {
                    problem.upstream = Some(upstream.to_string());
                    problem.attempts = Some(context.attempt.attempts);
                }
                problem.to_json()
            }
        };
        self.fields(&mut headers);
        let mut response = Response::new(ProxyBody::bytes(Bytes::from(body)));
        *response.status_mut() = code.status;
        *response.headers_mut() = headers;
        response
    }

    fn fields(&self, headers: &mut HeaderMap) {
        match self {
            Self::Refused(refusal) => {
                if let Some(challenge) = refusal.challenge() {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
                if let Some(nonce) = refusal.dpop_nonce() {
                    headers.insert(&DPOP_NONCE, nonce.clone());
                }
                if let Some(after) = refusal.retry_after() {
                    headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
                }
            }
            Self::Connect | Self::Trace => {
                headers.insert(header::ALLOW, ALLOW_USUAL);
            }
            Self::File(FileError::MethodNotAllowed) => {
                headers.insert(header::ALLOW, files::ALLOW);
            }
            Self::File(FileError::RangeNotSatisfiable { size_bytes }) => {
                // RFC 9110 section 14.4: tells the client how long the file is.
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            Self::Upstream {
                error:
                    UpstreamError::Resolve(_)
                    | UpstreamError::Connect(_)
                    | UpstreamError::Busy
                    | UpstreamError::NotBack
                    | UpstreamError::ParkFull
                    | UpstreamError::Full
                    | UpstreamError::QueueFull
                    | UpstreamError::QueueTimeout
                    | UpstreamError::Shed,
                ..
            }
            | Self::Overload
            | Self::File(FileError::Unavailable(_) | FileError::Stalled) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Upstream { error: UpstreamError::CircuitOpen(left), .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(left.as_secs().max(1)));
            }
            _ => {}
        }
    }
}
