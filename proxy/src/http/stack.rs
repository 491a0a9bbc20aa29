//! The outer ring: what happens around every request, whatever its route.

use super::access_log::{Head, Line};
use super::body::ProxyBody;
use super::context::RequestContext;
use super::error::Cause;
use super::error_pages;
use super::farewell::Farewell;
use super::handler::{self, Entrance, Entry};
use super::own_client;
use super::response_rules;
use super::target::Target;
use super::worker::{Local, WorkerState};
use crate::auth::DPOP_NONCE;
use crate::config::ListenerLimits;
use crate::files::{Way, WholeFile};
use crate::overload::Level;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, Uri, Version, header, request};
use http_body::Body as _;
use serve::connection::ConnectionInfo;
use serve::contract::request_id::X_REQUEST_ID;
use serve::http1::{Malformed, prepared_fields};
use serve::{Body, BodyError, Handler, Part};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut ring = Ring::begin(self, &head);
        let entering = || {
            if ring.level >= Level::RefuseRequests {
                return Err(Cause::Overload);
            }
            handler::enter(&self.worker, &ring.local, &self.entrance, &mut ring.context, &mut head, &body)
        };
        let handled = match catch_unwind(AssertUnwindSafe(entering)) {
            Ok(Ok(Entry::Routed(target))) => {
                // Erased once, here: what is below is one large future whose type nobody should have to spell.
                return Answering::ToCome(Box::pin(answer(Rc::clone(&self.worker), ring, head, body, target)));
            }
            Ok(Ok(Entry::File(file))) => return Answering::AtHand(Some(ring.send_file(&self.worker, file))),
            Ok(Ok(Entry::Answered(response))) => Ok(Ok(response)),
            Ok(Err(cause)) => Ok(Err(cause)),
            Err(panic) => Err(panic),
        };
        Answering::AtHand(Some(ring.finish(&self.worker, handled)))
    }
}

/// The answer to a request: at hand where nothing had to be waited for, which then costs no future.
#[expect(clippy::large_enum_variant, reason = "a box is what an answer at hand is spared")]
pub enum Answering {
    /// Taken when polled.
    AtHand(Option<Response<ProxyBody>>),
    /// Being worked on.
    ToCome(Pin<Box<dyn Future<Output = Response<ProxyBody>>>>),
}

impl Future for Answering {
    type Output = Result<Response<ProxyBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::AtHand(response) => response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
            Self::ToCome(future) => future.as_mut().poll(cx).map(Ok),
        }
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
            let line = Line::new(access, context, access.head_of(&head), response.status(), &local.secret_parameters);
            response.body_mut().set_line(line);
        }
        response
    }

    fn write_fields(body: &ProxyBody, out: &mut Vec<u8>) {
        body.write_fields(out);
    }

    fn poll_part(body: Pin<&mut ProxyBody>, cx: &mut Context<'_>) -> Poll<Option<Result<Part, BodyError>>> {
        body.get_mut().poll_part(cx)
    }
}

/// What stands around the handling of one request.
struct Ring {
    local: Rc<Local>,
    context: Box<RequestContext>,
    noted: Option<Box<Head>>,
    version: Version,
    is_head: bool,
    wants_html: bool,
    level: Level,
}

impl Ring {
    fn begin(front: &Front, head: &request::Parts) -> Self {
        let worker = &front.worker;
        let local = worker.local();
        Self {
            context: RequestContext::begin(head, &front.info, &local.snapshot.config.server),
            noted: worker.access.as_ref().map(|access| access.head_of(head)),
            version: head.version,
            is_head: head.method == Method::HEAD,
            // Asked now: what is forwarded loses its fields.
            wants_html: local.snapshot.has_error_pages && error_pages::wants_html(&head.headers),
            level: worker.overload.as_ref().map_or(Level::Calm, |overload| overload.level()),
            local,
        }
    }

    /// Makes the response of what came of a request, its panic included.
    fn finish(self, worker: &WorkerState, handled: Handled) -> Response<ProxyBody> {
        let Self { local, mut context, noted, version, is_head, wants_html, level } = self;
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
        // After the rules: one of them may say how long answers are kept.
        if context.binds_client && response.headers().contains_key(header::SET_COOKIE) {
            own_client::restrict(response.headers_mut());
        }
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
        set_line(worker, &local, context, noted, &mut response);
        response
    }

    /// Makes the response of a file that is in memory: on HTTP/1, with fields that were written before.
    fn send_file(self, worker: &WorkerState, file: WholeFile) -> Response<ProxyBody> {
        let Self { local, context, .. } = &self;
        let is_usual = self.version < Version::HTTP_2 && self.level < Level::CloseConnections;
        let site = context.site_index.filter(|_| is_usual && response_rules::are_constant(&local.snapshot, context));
        let fields = site.and_then(|site| {
            file.prepared_fields(Way { site, https: context.origin.https }, || {
                let mut headers = file.headers().clone();
                response_rules::apply(&local.snapshot, context, &mut headers);
                prepared_fields(&headers)
            })
        });
        let Some(fields) = fields else {
            return self.finish(worker, Ok(Ok(file.into_response().map(ProxyBody::from))));
        };
        let Self { local, context, noted, version, .. } = self;
        let mut response = Response::new(ProxyBody::from(file.body()));
        worker.metrics.requests.answered(version, response.status());
        response.body_mut().set_prepared(fields, context.request_id.clone());
        set_line(worker, &local, context, noted, &mut response);
        response
    }
}

fn set_line(
    worker: &WorkerState,
    local: &Local,
    context: Box<RequestContext>,
    noted: Option<Box<Head>>,
    response: &mut Response<ProxyBody>,
) {
    let Some((access, head)) = worker.access.as_ref().zip(noted) else { return };
    let mut line = Line::new(access, context, head, response.status(), &local.secret_parameters);
    if response.body().size_hint().upper().is_none_or(|bytes| bytes > LASTING_BYTES) {
        line.let_go_of_request();
    }
    response.body_mut().set_line(line);
}

/// What came of a request; the outer error is a panic.
type Handled = std::thread::Result<Result<Response<ProxyBody>, Cause>>;

/// The future of this function is copied into its box for every request that it answers, so it must stay small: what is
/// rare and large below it (opening a connection, reading a disk) has a box of its own, and the request's head stands
/// here, for all steps: whoever took it by value would have room for it twice.
#[expect(clippy::manual_async_fn, reason = "the future of an `async fn` has room for each argument twice")]
fn answer(
    worker: Rc<WorkerState>,
    mut ring: Ring,
    mut head: request::Parts,
    mut body: Body,
    target: Target,
) -> impl Future<Output = Response<ProxyBody>> {
    async move {
        let handled = {
            let Ring { local, context, .. } = &mut ring;
            let handling = pin!(handler::handle(&worker, local, context, &mut head, &mut body, &target));
            AssertUnwindSafe(handling).catch_unwind().await
        };
        ring.finish(&worker, handled)
    }
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

    fn returned_bytes<A, B, C, D, E, F: Future>(_: fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    /// What an idle connection has room for; `serve::connection` tests what that comes to.
    #[test]
    fn an_answer_is_small() {
        let (answering, body) = (size_of::<Answering>(), size_of::<ProxyBody>());
        assert!(answering <= 320 && body <= 200, "{answering} and {body} bytes");
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        // It was 17 KiB once, which took a third of the instructions of a small file's answer; and 4.9 once, which 64
        // requests in flight paid for in the cache.
        let bytes = returned_bytes(answer);
        assert!(bytes <= 3 * 1024, "{bytes} bytes");
    }
}
