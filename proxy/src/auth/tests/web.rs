//! An issuer's web server under the test's control.

use super::support::{NOW, Signer, at, bearer, claims, issuer, presented, route};
use crate::auth::{Issuers, Refusal, RouteRule, TokenCache};
use crate::config::Keys;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where the keys are.
pub(super) const JWKS: &str = "/jwks";

/// An issuer's web server whose answer the test sets.
pub(super) struct Web {
    pub(super) port: u16,
    answers: Mutex<BTreeMap<String, Response<Full<Bytes>>>>,
    hits: watch::Sender<usize>,
    /// Answers wait while this is true.
    pub(super) held: watch::Sender<bool>,
}

impl Web {
    pub(super) async fn start(body: String) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let web = Arc::new(Self {
            port: listener.local_addr().expect("an address").port(),
            answers: Mutex::new(BTreeMap::from([(JWKS.to_owned(), Response::new(body.into()))])),
            hits: watch::Sender::new(0),
            held: watch::Sender::new(false),
        });
        let serving = Arc::clone(&web);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let web = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(|request| Arc::clone(&web).respond(request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        web
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<hyper::body::Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        self.hits.send_modify(|hits| *hits += 1);
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held).await.expect("the sender lives");
        let answers = self.answers.lock().expect("no panic");
        let Some(answer) = answers.get(request.uri().path()) else {
            return Ok(Response::builder().status(404).body(Full::default()).expect("a response"));
        };
        let mut response = Response::new(answer.body().clone());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }

    /// Sets the answer with the keys.
    pub(super) fn set(&self, answer: Response<Full<Bytes>>) {
        self.set_at(JWKS, answer);
    }

    /// Sets the answer at a path.
    pub(super) fn set_at(&self, path: &str, answer: Response<Full<Bytes>>) {
        self.answers.lock().expect("no panic").insert(path.to_owned(), answer);
    }

    pub(super) fn hits(&self) -> usize {
        *self.hits.borrow()
    }

    pub(super) async fn until_hits(&self, count: usize) {
        self.hits.subscribe().wait_for(|hits| *hits >= count).await.expect("the sender lives");
    }

    pub(super) fn url(&self, path: &str) -> Uri {
        format!("http://127.0.0.1:{}{path}", self.port).parse().expect("a URL")
    }

    pub(super) fn issuer(&self) -> crate::config::Issuer {
        let url = self.url(JWKS);
        issuer(Keys::JwksUrl { url, insecure: false })
    }
}

/// A rule whose issuers have their keys.
pub(super) async fn loaded(issuers: &Issuers, web: &Web) -> RouteRule {
    let rule = RouteRule::new(&route(), issuers).expect("a rule");
    web.until_hits(1).await;
    // The first answer is on its way: a request may wait for it like any other.
    while issuers.ready().is_err() {
        tokio::task::yield_now().await;
    }
    rule
}

/// Asks about a good token of this signer.
pub(super) async fn ask(rule: &RouteRule, signer: &Signer) -> Result<(), Refusal> {
    let headers = bearer(&signer.sign(&claims(json!({}))));
    rule.authorize(presented(&headers), &TokenCache::new(0), at(NOW)).await.map(|_| ())
}
