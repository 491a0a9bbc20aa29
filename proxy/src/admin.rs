//! The operator's listener: is the process alive, is it ready.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serve::http1::Malformed;
use serve::{Body, Handler};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::task::{Context, Poll};
use tower::Service;

/// Answers `/livez` and `/readyz`; everything else is 404.
#[derive(Clone)]
pub(crate) struct Admin {
    readiness: Rc<RefCell<dyn Fn() -> Result<(), String>>>,
}

impl Admin {
    /// `readiness` says why the proxy is not ready.
    pub(crate) fn new(readiness: impl Fn() -> Result<(), String> + 'static) -> Self {
        Self { readiness: Rc::new(RefCell::new(readiness)) }
    }

    fn answer(&self, request: &Request<Body>) -> (StatusCode, String) {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, "alive\n".to_owned()),
            (&Method::GET | &Method::HEAD, "/readyz") => match (self.readiness.borrow())() {
                Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
            },
            (_, "/livez" | "/readyz") => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "there are /livez and /readyz\n".to_owned()),
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
        let (status, text) = self.answer(&request);
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
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

    #[test]
    fn readiness_says_why_not() {
        let admin = Admin::new(|| Err("keys of issuer \"app\" are not loaded".into()));
        let ask = |path: &str| admin.answer(&Request::get(path).body(Body::empty()).expect("a request"));
        assert_eq!(ask("/livez").0, StatusCode::OK);
        let (status, text) = ask("/readyz");
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("issuer \"app\""), "{text}");
        assert_eq!(ask("/").0, StatusCode::NOT_FOUND);
    }
}
