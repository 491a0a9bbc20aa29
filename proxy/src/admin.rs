//! The operator's listener: is the process alive, is it ready, what has it counted.

use crate::metrics::{self, Metrics};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serve::http1::Malformed;
use serve::{Body, Handler};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::task::{Context, Poll};
use tower::Service;

/// Answers `/livez`, `/readyz` and `/metrics`; everything else is 404.
#[derive(Clone)]
pub(crate) struct Admin {
    readiness: Rc<dyn Fn() -> Result<(), String>>,
    metrics: Rc<Metrics>,
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Admin {
    /// `readiness` says why the proxy is not ready.
    pub(crate) fn new(readiness: impl Fn() -> Result<(), String> + 'static, metrics: Rc<Metrics>) -> Self {
        Self { readiness: Rc::new(readiness), metrics }
    }

    fn answer(&self, request: &Request<Body>) -> (StatusCode, &'static str, String) {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, TEXT, "alive\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/readyz") => match (self.readiness)() {
                Ok(()) => (StatusCode::OK, TEXT, "ready\n".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")),
            },
            (&Method::GET | &Method::HEAD, "/metrics") => {
                (StatusCode::OK, metrics::CONTENT_TYPE, self.metrics.exposition())
            }
            (_, "/livez" | "/readyz" | "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, TEXT, "use GET\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, TEXT, "there are /livez, /readyz and /metrics\n".to_owned()),
        }
    }
}

impl Service<Request<Body>> for Admin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (status, content_type, text) = self.answer(&request);
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
        response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
        ready(Ok(response))
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
    use std::time::SystemTime;

    #[test]
    fn readiness_says_why_not() {
        let metrics = Metrics::new(NonZeroUsize::MIN, SystemTime::now(), || 0, Vec::new);
        let admin = Admin::new(|| Err("keys of issuer \"app\" are not loaded".into()), Rc::new(metrics));
        let ask = |path: &str| admin.answer(&Request::get(path).body(Body::empty()).expect("a request"));
        assert_eq!(ask("/livez").0, StatusCode::OK);
        let (status, _, text) = ask("/readyz");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("issuer \"app\""), "{text}");
        assert_eq!(ask("/").0, StatusCode::NOT_FOUND);
    }
}
