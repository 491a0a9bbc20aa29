//! The connections of the load, and one request on one of them.

use super::dialer::{Dialer, Version};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::{Mutex, Semaphore};

/// What is kept of an answer's body; the rest is read and dropped.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Runs a connection's task on this thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// An answer that came to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Its first mebibyte.
    pub(super) body: Bytes,
    /// Whether the request met a closed connection first.
    pub(super) resent: bool,
}

/// Why there is none.
#[derive(Debug)]
pub(super) struct NoAnswer {
    /// In a few words, the same for the same reason.
    pub(super) cause: String,
    /// As in [`Answer`].
    pub(super) resent: bool,
}

/// A pool of both kinds of connections.
pub(super) struct Pool {
    dialer: Rc<Dialer>,
    idle: RefCell<Vec<http1::SendRequest<Full<Bytes>>>>,
    places: Semaphore,
    shared: Vec<Mutex<Option<http2::SendRequest<Full<Bytes>>>>>,
    turn: Cell<usize>,
    resend: bool,
}

type Outgoing = Request<Full<Bytes>>;

/// Why one try has failed.
enum Failed {
    /// Nothing of it was sent: it may go again, whatever it is.
    Unsent(Box<Outgoing>, String),
    /// A connection that had been used before ended without a byte of an answer.
    Closed(String),
    /// Anything else.
    Lost(String),
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(dialer: Rc<Dialer>, connections: usize, http2_connections: usize, resend: bool) -> Self {
        Self {
            dialer,
            idle: RefCell::default(),
            // A session or a look at what was done needs one even where the load has none.
            places: Semaphore::new(connections.max(1)),
            shared: (0..http2_connections).map(|_| Mutex::new(None)).collect(),
            turn: Cell::new(0),
            resend,
        }
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn send(&self, request: Outgoing, version: Version) -> Result<Answer, NoAnswer> {
        let again = self.resend && request.method().is_idempotent() && hyper::body::Body::is_end_stream(request.body());
        let spare = again.then(|| request.clone());
        let failed = match self.attempt(request, version).await {
            Ok((status, headers, body)) => return Ok(Answer { status, headers, body, resent: false }),
            Err(failed) => failed,
        };
        let next = match failed {
            Failed::Unsent(request, _) if self.resend => *request,
            Failed::Closed(cause) => match spare {
                Some(request) => request,
                None => return Err(NoAnswer { cause, resent: false }),
            },
            Failed::Unsent(_, cause) | Failed::Lost(cause) => return Err(NoAnswer { cause, resent: false }),
        };
        // What lies idle was closed at the same moment, perhaps.
        self.idle.borrow_mut().clear();
        match self.attempt(next, version).await {
            Ok((status, headers, body)) => Ok(Answer { status, headers, body, resent: true }),
            Err(Failed::Unsent(_, cause) | Failed::Closed(cause) | Failed::Lost(cause)) => {
                Err(NoAnswer { cause, resent: true })
            }
        }
    }

    async fn attempt(&self, request: Outgoing, version: Version) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        match version {
            Version::Http1 => self.attempt_http1(request).await,
            Version::Http2 => self.attempt_http2(request).await,
        }
    }

    async fn attempt_http1(&self, request: Outgoing) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        let Ok(_place) = self.places.acquire().await else { return Err(Failed::Lost("the drill has ended".into())) };
        let kept = std::iter::from_fn(|| self.idle.borrow_mut().pop()).find(|sender| !sender.is_closed());
        let is_used = kept.is_some();
        let mut sender = match kept {
            Some(sender) => sender,
            None => {
                let stream = self.dialer.open(Version::Http1).await.map_err(|error| Failed::Lost(connect(&error)))?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|error| Failed::Lost(format!("no connection: {error}")))?;
                tokio::task::spawn_local(connection);
                sender
            }
        };
        if let Err(error) = sender.ready().await {
            return Err(Failed::Unsent(Box::new(request), format!("closed before the request: {error}")));
        }
        let response = match sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                let message = error.take_message();
                let cause = cause(error.error());
                return Err(match message {
                    Some(request) => Failed::Unsent(Box::new(request), cause),
                    None if is_used && !error.error().is_parse() => Failed::Closed(cause),
                    None => Failed::Lost(cause),
                });
            }
        };
        let answer = read(response).await?;
        // Only now: an answer that broke off leaves no connection behind.
        if sender.ready().await.is_ok() {
            self.idle.borrow_mut().push(sender);
        }
        Ok(answer)
    }

    async fn attempt_http2(&self, request: Outgoing) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1)) % self.shared.len().max(1);
        let Some(slot) = self.shared.get(turn) else { return Err(Failed::Lost("no HTTP/2 connection".into())) };
        let mut sender = {
            let mut slot = slot.lock().await;
            match slot.clone().filter(|sender| !sender.is_closed()) {
                Some(sender) => sender,
                None => {
                    let stream =
                        self.dialer.open(Version::Http2).await.map_err(|error| Failed::Lost(connect(&error)))?;
                    let (sender, connection) = http2::Builder::new(Local)
                        .timer(TokioTimer::new())
                        .handshake(TokioIo::new(stream))
                        .await
                        .map_err(|error| Failed::Lost(format!("no connection: {error}")))?;
                    tokio::task::spawn_local(connection);
                    slot.insert(sender).clone()
                }
            }
        };
        match sender.try_send_request(request).await {
            Ok(response) => read(response).await,
            Err(mut error) => {
                let message = error.take_message();
                let cause = cause(error.error());
                Err(match message {
                    Some(request) => Failed::Unsent(Box::new(request), cause),
                    // GOAWAY without this stream, or REFUSED_STREAM (RFC 9113 section 8.7): nothing was done.
                    None if is_refused(error.error()) => Failed::Closed(cause),
                    None => Failed::Lost(cause),
                })
            }
        }
    }
}

async fn read(response: http::Response<Incoming>) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
    let (head, mut body) = response.into_parts();
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failed::Lost(format!("the answer broke off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            let room = KEPT_BYTES_MAX - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok((head.status, head.headers, kept.freeze()))
}

/// The words for a connection that could not be opened, without ports and other numbers that differ each time.
fn connect(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::TimedOut => "no connection in time".to_owned(),
        _ => format!("no connection: {error}"),
    }
}

fn cause(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "closed before the answer".to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    format!("no answer: {text}")
}

fn is_refused(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(h2) = inner.downcast_ref::<h2::Error>() {
            let refused = h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            return refused || (h2.is_go_away() && h2.is_remote() && h2.reason() == Some(h2::Reason::NO_ERROR));
        }
        source = inner.source();
    }
    false
}
