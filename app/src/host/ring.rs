//! Around the callable, from outside in: the request's id, its log line, the probes, the bound on requests in flight,
//! the bounds on time (the host's own, and what the edge says is left), and the catching of panics.

use super::access_log::{AccessLog, Entry};
use super::probe::{self, Readiness};
use super::upload::{Pieces, within};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{Either, Full};
use serve::contract::deadline;
use serve::contract::problem::{PROBLEM_JSON, Problem, Source};
use serve::contract::request_id::{RequestId, X_REQUEST_ID};
use serve::http1::Malformed;
use serve::timer::{Elapsed, timeout};
use serve::{Body, Handler};
use std::convert::Infallible;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Service, ServiceExt};

/// The service of one connection.
#[derive(Clone)]
pub(super) struct Ring<S> {
    pub(super) callable: S,
    pub(super) readiness: Readiness,
    pub(super) in_flight: Arc<Semaphore>,
    pub(super) request_timeout: Duration,
    pub(super) log: Option<Rc<AccessLog>>,
}

/// A body of the host itself, or the callable's.
type Answered<B> = Either<Full<Bytes>, B>;

impl<S, B> Service<Request<Body>> for Ring<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: 'static,
    B: HttpBody<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Watched<Answered<B>>>;
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ring = self.clone();
        Box::pin(async move { Ok(ring.answer(request).await) })
    }
}

impl<S, B> Handler for Ring<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    S::Future: 'static,
    B: HttpBody<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Body = Watched<Answered<B>>;

    fn refuse(&mut self, malformed: Malformed) -> Self::Response {
        let request_id = RequestId::from_random(uuid::Uuid::new_v4().as_u128());
        tracing::debug!(%request_id, %malformed, "no request");
        let mut response = problem(malformed.status, malformed.code, malformed.reason, &request_id);
        response.headers_mut().insert(&X_REQUEST_ID, request_id.header_value());
        response.map(Watched::unwatched)
    }
}

impl<S, B> Ring<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn answer(self, mut request: Request<Body>) -> Response<Watched<Answered<B>>> {
        if let Some((status, text)) = probe::answer(request.method(), request.uri().path(), &self.readiness) {
            // Not logged: asked every other second by each edge, it would drown what matters.
            let mut response = Response::new(Watched::unwatched(Either::Left(Full::from(text))));
            *response.status_mut() = status;
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return response;
        }
        let request_id = request_id(&request);
        request.headers_mut().insert(&X_REQUEST_ID, request_id.header_value());
        let mut end = End {
            entry: self.log.clone().map(|log| Entry {
                log,
                began: Instant::now(),
                method: request.method().clone(),
                path: request.uri().path().to_owned(),
                request_id: request_id.clone(),
            }),
            status: CLIENT_GONE,
            bytes: 0,
            complete: false,
            permit: Arc::clone(&self.in_flight).try_acquire_owned().ok(),
        };
        let has_body = request.method() != Method::HEAD;
        let mut response = if end.permit.is_some() {
            self.call_guarded(request, &request_id).await
        } else {
            problem(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once", &request_id)
        };
        response.headers_mut().insert(&X_REQUEST_ID, request_id.header_value());
        end.status = response.status().as_u16();
        // Nobody polls a body that has nothing to give.
        end.complete = response.body().is_end_stream() || !has_body;
        response.map(|body| Watched { body, end: Some(end) })
    }

    /// Calls the callable within its time and survives its panic. A call that is given up is dropped where it waits: its
    /// transactions roll back.
    async fn call_guarded(self, request: Request<Body>, request_id: &RequestId) -> Response<Answered<B>> {
        let pieces = Pieces::default();
        let left = deadline::read(request.headers()).unwrap_or(Duration::MAX);
        let request = request.map(|body| pieces.count(body));
        // What a panic leaves behind is dropped with the call; the callable itself is a clone.
        let call = AssertUnwindSafe(self.callable.oneshot(request)).catch_unwind();
        match timeout(left, within(self.request_timeout, &pieces, call)).await {
            Err(Elapsed) => {
                tracing::info!(%request_id, "nobody waits for the answer any more");
                problem(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", "No answer by the deadline", request_id)
            }
            Ok(Ok(Ok(Ok(response)))) => response.map(Either::Right),
            Ok(Ok(Err(_))) => {
                tracing::error!(%request_id, "the callable panicked");
                problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", request_id)
            }
            Ok(Err(Elapsed)) => {
                tracing::error!(%request_id, "the callable did not answer in time");
                problem(StatusCode::SERVICE_UNAVAILABLE, "timeout", "No answer in time", request_id)
            }
        }
    }
}

/// The id that the edge gave, or a new one for who came without.
fn request_id(request: &Request<Body>) -> RequestId {
    request
        .headers()
        .get(&X_REQUEST_ID)
        .and_then(RequestId::accept)
        .unwrap_or_else(|| RequestId::from_random(uuid::Uuid::new_v4().as_u128()))
}

fn problem<B>(status: StatusCode, code: &str, title: &str, request_id: &RequestId) -> Response<Answered<B>> {
    let problem = Problem::new(status, code, title, Source::App, request_id.as_str());
    let mut response = Response::new(Either::Left(Full::from(problem.to_json())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pin_project_lite::pin_project! {
    /// A response's body that holds its request's place in flight and writes its line when it ends.
    pub(super) struct Watched<B> {
        #[pin]
        body: B,
        end: Option<End>,
    }
}

/// The status in the log of a request whose client left before there was an answer; nginx's number for it.
const CLIENT_GONE: u16 = 499;

/// What happens when a request ends, wholly or not: its place is free and its line is written.
struct End {
    entry: Option<Entry>,
    status: u16,
    bytes: u64,
    complete: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl<B> Watched<B> {
    const fn unwatched(body: B) -> Self {
        Self { body, end: None }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.write(self.status, self.bytes, self.complete);
        }
    }
}

impl<B: HttpBody<Data = Bytes>> HttpBody for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll_frame(cx);
        if let Some(end) = this.end {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    end.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                    // After its last frame a body of known length is not polled again.
                    end.complete = this.body.is_end_stream();
                }
                Poll::Ready(None) => end.complete = true,
                Poll::Ready(Some(Err(_))) | Poll::Pending => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
