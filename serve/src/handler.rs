//! What answers the requests of a connection.

use crate::body::Body;
use crate::http1::Malformed;
use http::{Request, Response};
use std::convert::Infallible;
use tower::Service;

/// A service that can also word the refusal of bytes that are no request, so that a client and the log learn of every
/// refusal in the same shape.
pub trait Handler: Service<Request<Body>, Response = Response<Self::Body>, Error = Infallible> + Clone {
    /// The body of its responses.
    type Body: http_body::Body<Data = bytes::Bytes>;

    /// The answer to bytes that are no request. Nothing of them can be trusted; the connection ends behind it.
    fn refuse(&mut self, malformed: Malformed) -> Self::Response;
}
