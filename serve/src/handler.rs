//! What answers the requests of a connection.

use crate::body::Body;
use crate::http1::Malformed;
use crate::part::Part;
use http::{Request, Response};
use http_body::Body as _;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::Service;

/// A service that can also word the refusal of bytes that are no request, so that a client and the log learn of every
/// refusal in the same shape.
pub trait Handler: Service<Request<Body>, Response = Response<Self::Body>, Error = Infallible> + Clone {
    /// The body of its responses.
    type Body: http_body::Body<Data = bytes::Bytes>;

    /// Whether a request that comes now is taken at all. Over HTTP/2 one that is not gets no answer but `REFUSED_STREAM`,
    /// after which its client may send it again whatever its method (RFC 9113 section 8.7). HTTP/1 has no such word: there
    /// every request is taken, and answered.
    fn admits(&self) -> bool {
        true
    }

    /// The answer to bytes that are no request. Nothing of them can be trusted; the connection ends behind it.
    fn refuse(&mut self, malformed: Malformed) -> Self::Response;

    /// Appends fields of a response that are not in its map: prepared as text, each with its CR LF. None of them is
    /// `Date`, about the connection or about the length. HTTP/1 asks for them; for HTTP/2 there must be none.
    fn write_fields(_body: &Self::Body, _out: &mut Vec<u8>) {}

    /// What comes next of a response's body, for a connection that can have the kernel send a file: HTTP/1 over TCP
    /// in the clear. Others ask for frames.
    ///
    /// Ready with the error of the body.
    fn poll_part(body: Pin<&mut Self::Body>, cx: &mut Context<'_>) -> Poll<Option<Result<Part, BodyErrorOf<Self>>>> {
        body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map(Part::Frame)))
    }
}

/// The error of the bodies of a handler's responses.
pub type BodyErrorOf<H> = <<H as Handler>::Body as http_body::Body>::Error;
