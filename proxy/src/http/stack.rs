//! The outer ring: what happens around every request, whatever its route.

use super::access_log::{Head, Line};
use super::body::ProxyBody;
use super::context::RequestContext;
use super::error::Cause;
use super::error_pages;
use super::farewell::Farewell;
use super::handler::{self, Entrance};
use super::response_rules;
use super::worker::WorkerState;
use crate::auth::DPOP_NONCE;
use crate::config::ListenerLimits;
use crate::overload::Level;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body::Body as _;
use serve::connection::ConnectionInfo;
use serve::contract::request_id::X_REQUEST_ID;
use serve::http1::Malformed;
use serve::{Body, BodyError, Handler, Part};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::time::Instant;
use tower::Service;

/// An answer from this size on may take long to leave.
const LASTING_BYTES: u64 = 256 * 1024;

/// The front server as a service: one for each connection, all of a worker sharing its state.
#[derive(Clone)]
pub struct Front {
    worker: Rc<WorkerState>,
    info: Rc<ConnectionInfo>,
    entrance: Rc<Entrance>,
}

impl Front {
    /// The service maker of one listener on one worker.
    pub fn maker(
        worker: Rc<WorkerState>,
        limits: &ListenerLimits,
        redirect_to_https: Option<u16>,
    ) -> impl Fn(&ConnectionInfo) -> Self + 'static {
        let entrance = Rc::new(Entrance {
            redirect_to_https,
            header_bytes_max: limits.header_bytes_max,
            uri_bytes_max: limits.uri_bytes_max,
        });
        move |info| Self { worker: Rc::clone(&worker), info: Rc::new(info.clone()), entrance: Rc::clone(&entrance) }
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response<ProxyBody>;
    type Error = Infallible;
    // Erased once, here: the path below is one large future whose type nobody should have to spell.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(ring(self.clone(), request))
    }
}

impl Handler for Front {
    type Body = ProxyBody;

    /// For want of memory not even an error is made for a stream that its client may open again elsewhere.
    fn admits(&self) -> bool {
        self.worker.overload.as_ref().is_none_or(|overload| overload.level() < Level::RefuseRequests)
    }

    /// Bytes that are no request are answered and logged as every refusal is; of the request only the refusal is known.
    fn refuse(&mut self, malformed: Malformed) -> Self::Response {
        let local = self.worker.local();
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = Method::from_bytes(b"-").unwrap_or_default();
        head.uri = Uri::from_static("*");
        head.version = if self.info.http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        let mut context = RequestContext::begin(&head, &self.info, &local.snapshot.config.server);
        let mut response = refuse(&self.worker, Cause::Malformed(malformed), &mut context, head.version);
        self.worker.metrics.requests.answered(head.version, response.status());
        response.headers_mut().insert(X_REQUEST_ID.clone(), context.request_id.header_value());
        if let Some(access) = &self.worker.access {
            let line = Line::new(access, context, Head::of(&head), response.status(), &local.secret_parameters);
            response.body_mut().set_line(line);
        }
        response
    }

    fn poll_part(body: Pin<&mut ProxyBody>, cx: &mut Context<'_>) -> Poll<Option<Result<Part, BodyError>>> {
        body.get_mut().poll_part(cx)
    }
}

/// The future of this function is copied into its box for every request, so it must stay small: what is rare and large
/// below it (opening a connection, reading a disk) has a box of its own, and the request's head stands here, for all
/// steps: whoever took it by value would have room for it twice.
async fn ring(front: Front, request: Request<Body>) -> Result<Response<ProxyBody>, Infallible> {
    let Front { worker, info, entrance } = &front;
    let local = worker.local();
    let (mut head, mut body) = request.into_parts();
    let mut context = RequestContext::begin(&head, info, &local.snapshot.config.server);
    let noted = worker.access.as_ref().map(|_| Head::of(&head));
    let (version, is_head) = (head.version, head.method == Method::HEAD);
    // Asked now: what is forwarded loses its fields.
    let wants_html = local.snapshot.has_error_pages && error_pages::wants_html(&head.headers);

    let level = worker.overload.as_ref().map_or(Level::Calm, |overload| overload.level());
    let handled = if level >= Level::RefuseRequests {
        Ok(Err(Cause::Overload))
    } else {
        let handling = pin!(handler::handle(worker, &local, entrance, &mut context, &mut head, &mut body));
        AssertUnwindSafe(handling).catch_unwind().await
    };
    let mut response = match handled {
        Ok(Ok(response)) => response,
        Ok(Err(cause)) => refuse(worker, cause, &mut context, version),
        Err(_) => {
            tracing::error!(request_id = %context.request_id, "a request made the proxy panic");
            refuse(worker, Cause::Panic, &mut context, version)
        }
    };

    if level >= Level::CloseConnections && version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    worker.metrics.requests.answered(version, response.status());
    if wants_html && context.cause.is_some() {
        error_pages::apply(&local.snapshot, &context, &mut response);
    }
    response_rules::apply(&local.snapshot, &context, response.headers_mut());
    response.headers_mut().insert(X_REQUEST_ID.clone(), context.request_id.header_value());
    if let Some(nonce) = context.dpop_nonce.take() {
        response.headers_mut().insert(&DPOP_NONCE, *nonce);
        // A stored answer would bring an old nonce back (RFC 9449 section 8.2).
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if is_head {
        strip_body(&mut response);
    }
    if let Some(farewell) = Farewell::of(&response, response.body().is_tunnel(), &worker.drain) {
        response.body_mut().set_farewell(farewell);
    }
    if let Some((access, head)) = worker.access.as_ref().zip(noted) {
        let mut line = Line::new(access, context, head, response.status(), &local.secret_parameters);
        if response.body().size_hint().upper().is_none_or(|bytes| bytes > LASTING_BYTES) {
            line.let_go_of_request();
        }
        response.body_mut().set_line(line);
    }
    Ok(response)
}

fn refuse(worker: &WorkerState, cause: Cause, context: &mut RequestContext, version: Version) -> Response<ProxyBody> {
    let code = cause.code();
    worker.metrics.errors.made(code);
    context.cause = Some((code, cause.to_string()));
    context.attempt.given_up(code);
    let closes = cause.closes() && version < Version::HTTP_2;
    context.attempt.ended(Instant::now());
    let mut response = cause.into_response(context);
    if closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An answer to HEAD has the fields of one to GET and no body (RFC 9110 section 9.3.2).
fn strip_body(response: &mut Response<ProxyBody>) {
    if let Some(length) = response.body().size_hint().exact().filter(|&length| length > 0) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    *response.body_mut() = ProxyBody::bytes(bytes::Bytes::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned_bytes<A, B, F: Future>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        // It was 17 KiB once, which took a third of the instructions of a small file's answer.
        let bytes = returned_bytes(ring);
        assert!(bytes <= 6 * 1024, "{bytes} bytes");
    }
}
