//! The operator's listener: is the process alive, is it ready, what has it counted, how are the
//! endpoints; which tokens are revoked, from
//! applications without a link; and the orders to reload and to hand over.

mod journal;
mod posted;
mod revocations;

pub(crate) use journal::Journal;

use crate::metrics::{self, Metrics};
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serve::http1::Malformed;
use serve::{Body, Handler};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};
use tower::Service;

/// An answer in words.
pub(crate) type Answer = (StatusCode, String);

/// What the operator may order.
#[derive(Clone)]
pub(crate) struct Operations {
    /// Read the configuration again.
    pub(crate) reload: Rc<dyn Fn() -> LocalBoxFuture<'static, Answer>>,
    /// Let a new process take over.
    pub(crate) upgrade: Rc<dyn Fn() -> LocalBoxFuture<'static, Answer>>,
}

/// Answers `/livez`, `/readyz`, `/metrics`, `/upstreams`, `/revocations`, `/reload` and `/upgrade`; everything else is 404.
#[derive(Clone)]
pub(crate) struct Admin {
    readiness: Rc<dyn Fn() -> Result<(), String>>,
    metrics: Rc<Metrics>,
    current: Arc<ArcSwap<Snapshot>>,
    operations: Operations,
    journal: Option<Rc<Journal>>,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Admin {
    /// `readiness` says why the proxy is not ready.
    pub(crate) fn new(
        readiness: impl Fn() -> Result<(), String> + 'static,
        metrics: Rc<Metrics>,
        current: Arc<ArcSwap<Snapshot>>,
        operations: Operations,
        journal: Option<Rc<Journal>>,
    ) -> Self {
        Self { readiness: Rc::new(readiness), metrics, current, operations, journal }
    }

    async fn revoke(&self, body: Body) -> (StatusCode, &'static str, String) {
        let (status, answer) = match revocations::read(body).await {
            Ok(body) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                revocations::apply(&body, &self.current.load().issuers, self.journal.as_deref(), now)
            }
            Err(refusal) => refusal,
        };
        (status, JSON, format!("{answer}\n"))
    }

    fn answer<B>(&self, request: &Request<B>) -> (StatusCode, &'static str, String) {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, TEXT, "alive\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/readyz") => match (self.readiness)() {
                Ok(()) => (StatusCode::OK, TEXT, "ready\n".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")),
            },
            (&Method::GET | &Method::HEAD, "/metrics") => {
                (StatusCode::OK, metrics::CONTENT_TYPE, self.metrics.exposition())
            }
            (&Method::GET | &Method::HEAD, "/upstreams") => {
                let states = serde_json::to_string_pretty(&self.metrics.endpoints()).unwrap_or_default();
                (StatusCode::OK, JSON, format!("{states}\n"))
            }
            (_, "/livez" | "/readyz" | "/metrics" | "/upstreams") => {
                (StatusCode::METHOD_NOT_ALLOWED, TEXT, "use GET\n".to_owned())
            }
            (_, "/revocations" | "/reload" | "/upgrade") => {
                (StatusCode::METHOD_NOT_ALLOWED, TEXT, "use POST\n".to_owned())
            }
            _ => (
                StatusCode::NOT_FOUND,
                TEXT,
                "there are /livez, /readyz, /metrics, /upstreams, /revocations, /reload and /upgrade\n".to_owned(),
            ),
        }
    }
}

/// Whether a browser sent it on behalf of a page. Every browser adds `Origin` to a POST, also to one of the same origin,
/// which a page of anybody's is after it has made its name lead to the loopback address.
fn is_of_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
}

impl Service<Request<Body>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let admin = self.clone();
        Box::pin(async move {
            let (status, content_type, text) = match (request.method(), request.uri().path()) {
                (&Method::POST, "/revocations" | "/reload" | "/upgrade") if is_of_page(request.headers()) => {
                    (StatusCode::FORBIDDEN, TEXT, "pages have no business here\n".to_owned())
                }
                (&Method::POST, "/revocations") => admin.revoke(request.into_body()).await,
                (&Method::POST, "/reload") => {
                    let (status, text) = (admin.operations.reload)().await;
                    (status, TEXT, format!("{text}\n"))
                }
                (&Method::POST, "/upgrade") => {
                    let (status, text) = (admin.operations.upgrade)().await;
                    (status, TEXT, format!("{text}\n"))
                }
                _ => admin.answer(&request),
            };
            let mut response = Response::new(Full::from(text));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
            response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            Ok(response)
        })
    }
}

impl Handler for Admin {
    type Body = Full<Bytes>;

    fn refuse(&mut self, malformed: Malformed) -> Self::Response {
        let mut response = Response::new(Full::from(format!("{malformed}\n")));
        *response.status_mut() = malformed.status;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn none() -> Operations {
        let nothing: Rc<dyn Fn() -> LocalBoxFuture<'static, Answer>> =
            Rc::new(|| Box::pin(async { (StatusCode::OK, String::new()) }));
        Operations { reload: Rc::clone(&nothing), upgrade: nothing }
    }

    #[test]
    fn readiness_says_why_not() {
        let metrics = Metrics::new(NonZeroUsize::MIN, SystemTime::now(), || 0, Vec::new);
        let text = "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nmatch = \"/\"\nauth = \"public\"\nrespond = { body = \"\" }";
        let config = crate::config::load_str("a.toml", text, &|_| None, std::path::Path::new("")).expect("sound");
        let snapshot = Snapshot::build(Arc::new(config), None).expect("a snapshot");
        let current = Arc::new(ArcSwap::from_pointee(snapshot));
        let admin =
            Admin::new(|| Err("keys of issuer \"app\" are not loaded".into()), Rc::new(metrics), current, none(), None);
        let ask = |path: &str| admin.answer(&Request::get(path).body(Body::empty()).expect("a request"));
        assert_eq!(ask("/livez").0, StatusCode::OK);
        let (status, _, text) = ask("/readyz");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("issuer \"app\""), "{text}");
        assert_eq!(ask("/").0, StatusCode::NOT_FOUND);
    }
}
