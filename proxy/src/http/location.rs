//! Answers that send the client elsewhere.

use super::body::ProxyBody;
use super::error::Cause;
use super::target::Target;
use http::{HeaderValue, Response, StatusCode, header, request};

/// The same resource, from the listener with TLS on `port`.
pub(super) fn redirect_to_https(
    head: &request::Parts,
    target: &Target,
    port: u16,
) -> Result<Response<ProxyBody>, Cause> {
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = path_in_address(head.uri.path());
    let (sign, query) = head.uri.query().map_or(("", ""), |query| ("?", query));
    location(StatusCode::PERMANENT_REDIRECT, &format!("https://{}{port}{path}{sign}{query}", target.host()))
}

/// The `*` of OPTIONS is the server as a whole: no path, and behind a host part of its name.
pub(super) fn path_in_address(path: &str) -> &str {
    if path == "*" { "/" } else { path }
}

pub(super) fn location(status: StatusCode, to: &str) -> Result<Response<ProxyBody>, Cause> {
    let value = HeaderValue::try_from(to).map_err(|_| Cause::Host("no address can be made of the request"))?;
    let mut response = Response::new(ProxyBody::bytes(bytes::Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, value);
    Ok(response)
}
