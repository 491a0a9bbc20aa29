//! What a client gets back, whole or piece by piece.

use crate::deadline::within;
use crate::raw::Raw;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its content.
    pub body: Bytes,
}

impl Answer {
    /// The value of a field, when it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The content as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The content as JSON.
    ///
    /// # Panics
    ///
    /// When it is none; the message shows it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let parsed = serde_json::from_slice(&self.body);
        assert!(parsed.is_ok(), "no JSON: {} {:?}", self.status, self.body);
        parsed.unwrap_or_default()
    }

    /// The answer, after a check of its status that shows the whole answer when it fails.
    ///
    /// # Panics
    ///
    /// When the status is another.
    #[must_use = "to ignore the rest of an answer, say so"]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// The stable code of a problem (RFC 9457), after a check that it is one from the edge, whole and uncacheable.
    ///
    /// # Panics
    ///
    /// When it is anything else.
    #[must_use]
    pub fn edge_code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["source"], "edge", "{problem}");
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{problem}");
        problem["code"].as_str().expect("a problem has a code").to_owned()
    }
}

/// An answer whose body is still under way.
pub struct Streaming(pub(crate) Response<Incoming>);

impl Streaming {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The value of a field, when it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// When the body breaks off.
    pub async fn piece(&mut self) -> hyper::Result<Option<Bytes>> {
        loop {
            match within("a piece of the body", self.0.frame()).await.transpose()? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reads the body until it holds `text`.
    ///
    /// # Panics
    ///
    /// When it ends or breaks off before.
    pub async fn read_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let piece = self.piece().await.expect("the body goes on");
            assert!(piece.is_some(), "the body ended before {text:?}, after {read:?}");
            read.push_str(&String::from_utf8_lossy(&piece.unwrap_or_default()));
        }
        read
    }

    /// Reads the rest.
    ///
    /// # Errors
    ///
    /// When the body breaks off.
    pub async fn collect(self) -> hyper::Result<Answer> {
        let (parts, body) = self.0.into_parts();
        let body = within("the end of the body", body.collect()).await?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// Reads the rest with its trailers.
    ///
    /// # Errors
    ///
    /// When the body breaks off.
    pub async fn collect_with_trailers(self) -> hyper::Result<(Bytes, HeaderMap)> {
        let collected = within("the end of the body", self.0.into_body().collect()).await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Ok((collected.to_bytes(), trailers))
    }

    /// The connection itself after a 101.
    ///
    /// # Panics
    ///
    /// When the server did not switch.
    pub async fn upgrade(self) -> Raw {
        let upgraded = within("the upgrade", hyper::upgrade::on(self.0)).await.expect("the connection is handed over");
        Raw::over(Box::new(TokioIo::new(upgraded)))
    }
}
