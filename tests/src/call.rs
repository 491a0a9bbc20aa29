//! One request in the making, and how it is sent.

use crate::answer::{Answer, Streaming};
use crate::client::{Client, Version};
use crate::connection::Connection;
use crate::deadline::within;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use std::io;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// The body of a request in tests; an error in it breaks the request off.
pub type RequestBody = UnsyncBoxBody<Bytes, io::Error>;

/// A request that is not yet sent.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    client: Client,
    method: Method,
    path: String,
    fields: HeaderMap,
    body: RequestBody,
}

/// Feeds the body of a request while it is under way. Dropped, it ends the body.
pub struct Upload(UnboundedSender<io::Result<Frame<Bytes>>>);

impl Upload {
    /// Sends one piece.
    ///
    /// # Panics
    ///
    /// When the request has ended.
    pub fn send(&self, bytes: impl Into<Bytes>) {
        self.0.send(Ok(Frame::data(bytes.into()))).expect("the request is under way");
    }

    /// Breaks the body off: HTTP/1.1 closes the connection, HTTP/2 resets the stream.
    pub fn abort(self) {
        // The request may have ended.
        let _ = self.0.send(Err(io::ErrorKind::ConnectionAborted.into()));
    }
}

impl Call {
    pub(crate) fn new(client: Client, method: &str, path: &str) -> Self {
        let method = method.parse().expect("a method");
        Self { client, method, path: path.to_owned(), fields: HeaderMap::new(), body: full(Bytes::new()) }
    }

    /// Adds a field; fields of the same name stay.
    ///
    /// # Panics
    ///
    /// When name or value can't be sent: those belong into a raw script.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a field name");
        self.fields.append(name, HeaderValue::from_str(value).expect("a field value"));
        self
    }

    /// Adds a bearer token (RFC 6750 section 2.1).
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sets the body, with its length.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = full(bytes.into());
        self
    }

    /// Sets a body with trailers behind it.
    pub fn body_with_trailers(mut self, bytes: impl Into<Bytes>, trailers: HeaderMap) -> Self {
        let frames = [Frame::data(bytes.into()), Frame::trailers(trailers)];
        self.body = StreamBody::new(tokio_stream::iter(frames.map(Ok))).boxed_unsync();
        self
    }

    /// Sets a JSON body.
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json").body(value.to_string())
    }

    /// Sets a body of unknown length that the test feeds.
    pub fn upload(mut self) -> (Self, Upload) {
        let (sender, pieces) = unbounded_channel();
        self.body = StreamBody::new(UnboundedReceiverStream::new(pieces)).boxed_unsync();
        (self, Upload(sender))
    }

    /// Sends it on a connection of its own and reads the answer to its end.
    ///
    /// # Panics
    ///
    /// When no answer comes, or it breaks off.
    pub async fn send(self) -> Answer {
        self.open().await.collect().await.expect("the answer is whole")
    }

    /// Sends it on an open connection and reads the answer to its end.
    ///
    /// # Panics
    ///
    /// When no answer comes, or it breaks off.
    pub async fn send_on(self, connection: &mut Connection) -> Answer {
        self.open_on(connection).await.expect("an answer").collect().await.expect("the answer is whole")
    }

    /// Sends it on a connection of its own; the body of the answer is still to be read.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub async fn open(self) -> Streaming {
        self.try_open().await.expect("an answer")
    }

    /// As [`Call::open`].
    ///
    /// # Errors
    ///
    /// When no answer comes.
    pub async fn try_open(self) -> hyper::Result<Streaming> {
        let mut connection = self.client.connect().await;
        self.open_on(&mut connection).await
    }

    /// Sends it on an open connection; the body of the answer is still to be read.
    ///
    /// # Errors
    ///
    /// When the connection ends without an answer.
    pub async fn open_on(self, connection: &mut Connection) -> hyper::Result<Streaming> {
        let what = format!("the answer to {} {}", self.method, self.path);
        Ok(Streaming(within(what, connection.send(self.into_request())).await?))
    }

    /// As [`Call::open_on`] and without a limit of time: for a body so large that the test watches its way itself.
    ///
    /// # Errors
    ///
    /// When the connection ends without an answer.
    pub async fn open_watched_on(self, connection: &mut Connection) -> hyper::Result<Streaming> {
        Ok(Streaming(connection.send(self.into_request()).await?))
    }

    fn into_request(self) -> Request<RequestBody> {
        let Self { client, method, path, fields, body } = self;
        let target = match client.version {
            Version::Http1 => path,
            Version::Http2 => format!("https://{}{path}", client.authority),
        };
        let mut request = Request::builder().method(method).uri(target).body(body).expect("a request");
        if client.version == Version::Http1 && !fields.contains_key(HOST) {
            request.headers_mut().insert(HOST, client.authority.parse().expect("a host"));
        }
        request.headers_mut().extend(fields);
        request
    }
}

fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
