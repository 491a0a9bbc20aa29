//! From a listening socket to calls of a service: accept, connection slot, TLS, HTTP/1.1 or HTTP/2, and the timeouts
//! of a connection.

use crate::activity::{Activity, Waiting};
use crate::admission::{Admission, Admitted};
use crate::body::{Body, BodyError};
use crate::counters::{ConnectionCounters, Protection, Refusal};
use crate::drain::Drain;
use crate::handler::Handler;
use crate::held::{Accepted, Held};
use crate::http1;
pub use crate::limits::ConnectionLimits;
use crate::listener::{Accepting, Address, Peer, Socket, canonical};
use crate::timer::{self, Deadline};
use crate::transport::{Transport, Watched};
use bytes::BytesMut;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tower::Service;
use tower::util::{Oneshot, ServiceExt};

/// The receive window of one HTTP/2 stream, in bytes: what an upload may send ahead of the application.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// The receive window of an HTTP/2 connection, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What one HTTP/2 stream may hold of an answer that its client does not take, in bytes.
const SEND_BUFFER_BYTES_MAX: usize = 128 * 1024;

/// After a failed accept (no descriptors left), how long until the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is known of a connection before its first request.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Who is the client, as far as connections tell: the other end, or whom that one announced by the PROXY protocol.
    pub peer: Peer,
    /// Who is at the other end of the transport.
    pub transport_peer: Peer,
    /// What the client connected to: the listener's address, or the one that the PROXY protocol told.
    pub local: Arc<Address>,
    /// The TLS session, if there is one.
    pub tls: Option<TlsInfo>,
    /// Whether requests come as HTTP/2 streams.
    pub http2: bool,
}

/// What is known of a TLS session.
#[derive(Debug, Clone)]
pub struct TlsInfo {
    /// `TLSv1_2` or `TLSv1_3`.
    pub version: Option<rustls::ProtocolVersion>,
    /// The name that the client asked for (RFC 6066 section 3), lower-case.
    pub server_name: Option<Arc<str>>,
}

/// Accepts connections on one socket of one worker and serves each with a service made for it.
pub struct Acceptor<M> {
    /// The socket.
    pub socket: Socket,
    /// Its address, as told to services.
    pub local: Arc<Address>,
    /// What a connection may do.
    pub limits: Rc<ConnectionLimits>,
    /// Ends TLS when set; ALPN chooses between HTTP/2 and HTTP/1.1 (RFC 7301).
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// One permit a connection, shared by all workers; further connections wait in the kernel's queue.
    pub slots: Arc<Semaphore>,
    /// When to stop, and who is still open.
    pub drain: Rc<Drain>,
    /// Who is let in.
    pub admission: Admission,
    /// Makes the service of a connection.
    pub make_service: M,
}

impl<M, H> Acceptor<M>
where
    M: Fn(&ConnectionInfo) -> H + 'static,
    H: Handler + 'static,
    H::Future: 'static,
    H::Body: 'static,
    <H::Body as HttpBody>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Accepts until the drain begins. Must run on a local runtime.
    ///
    /// # Errors
    /// Only when the socket can't be registered with the runtime; failures of single accepts are logged.
    pub async fn run(self) -> io::Result<()> {
        let Self { socket, local, limits, tls, slots, drain, admission, make_service } = self;
        let listener = Accepting::register(socket)?;
        let (make_service, admission) = (Rc::new(make_service), Rc::new(admission));
        let acceptor = tls.map(TlsAcceptor::from);
        let many_addresses = matches!(*local, Address::Tcp(address) if address.ip().is_unspecified());
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.begun() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            let (transport, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::error!(%error, address = %local, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let accepted = Accepted::count(&admission.counters);
            // Who is the client itself is refused before it takes a slot.
            let admitted = match (!admission.expects_header(peer)).then(|| admission.admit(peer)).transpose() {
                Ok(admitted) => admitted,
                Err(reason) => {
                    refused(peer, reason, &admission.counters);
                    continue;
                }
            };
            let slot = match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => slot,
                Err(_) => {
                    admission.counters.waited.increment();
                    let slot = tokio::select! {
                        biased;
                        () = drain.begun() => return Ok(()),
                        slot = Arc::clone(&slots).acquire_owned() => slot,
                    };
                    // Nobody closes the semaphore; if somebody did, it would be to stop.
                    let Ok(slot) = slot else { return Ok(()) };
                    slot
                }
            };
            // A listener on all addresses has none of its own to tell.
            let own = many_addresses.then(|| transport.local_address()).flatten();
            let local = own.map_or_else(|| Arc::clone(&local), |own| Arc::new(Address::Tcp(canonical(own))));
            let (acceptor, limits, make_service) = (acceptor.clone(), Rc::clone(&limits), Rc::clone(&make_service));
            let (admission, open) = (Rc::clone(&admission), drain.open());
            tokio::task::spawn_local(async move {
                let opening = open_up(transport, peer, admitted, acceptor, limits.handshake_timeout, &admission);
                match opening.await {
                    Ok(Opened { transport, admitted, tls, http2 }) => {
                        let Admitted { client, server, place } = admitted;
                        let local = server.unwrap_or(local);
                        let info = ConnectionInfo { peer: client, transport_peer: peer, local, tls, http2 };
                        let held = Held { _slot: slot, _place: place, accepted };
                        serve(transport, held, info, &limits, &*make_service, open.drain()).await;
                    }
                    Err(reason) => refused(peer, reason, &admission.counters),
                }
            });
        }
    }
}

/// A connection on which HTTP may begin.
struct Opened {
    transport: Transport,
    admitted: Admitted,
    tls: Option<TlsInfo>,
    http2: bool,
}

/// What comes before HTTP, within `limit` altogether: the header that names the client, if it is not known yet, and the
/// TLS handshake, if the listener has an acceptor.
async fn open_up(
    transport: Transport,
    peer: Peer,
    admitted: Option<Admitted>,
    acceptor: Option<TlsAcceptor>,
    mut limit: Duration,
    admission: &Admission,
) -> Result<Opened, Refusal> {
    let admitted = match admitted {
        Some(admitted) => admitted,
        None => {
            let began = Instant::now();
            let announced = timer::timeout(limit, admission.admit_announced(&transport, peer)).await;
            limit = limit.saturating_sub(began.elapsed());
            announced.map_err(|_| Refusal::ProxyTimeout)??
        }
    };
    let Some(acceptor) = acceptor else {
        return Ok(Opened { transport, admitted, tls: None, http2: false });
    };
    let handshake = timer::timeout(limit, acceptor.accept(transport)).await;
    let stream = handshake.map_err(|_| Refusal::HandshakeTimeout)?.map_err(|_| Refusal::Handshake)?;
    let (_, session) = stream.get_ref();
    let tls = TlsInfo {
        version: session.protocol_version(),
        server_name: session.server_name().map(|name| name.to_ascii_lowercase().into()),
    };
    let http2 = session.alpn_protocol() == Some(b"h2");
    Ok(Opened { transport: Transport::Tls(Box::new(stream)), admitted, tls: Some(tls), http2 })
}

fn refused(peer: Peer, reason: Refusal, counters: &ConnectionCounters) {
    counters.refuse(reason);
    tracing::debug!(%peer, reason = reason.label(), "connection refused");
}

/// Errors that concern the connection being accepted and not the socket (accept(2), "Error handling").
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

async fn serve<M, H>(
    transport: Transport,
    held: Held,
    info: ConnectionInfo,
    limits: &ConnectionLimits,
    make_service: &M,
    drain: &Drain,
) where
    M: Fn(&ConnectionInfo) -> H,
    H: Handler + 'static,
    H::Future: 'static,
    H::Body: 'static,
    <H::Body as HttpBody>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let handler = make_service(&info);
    let peer = info.peer;
    let http2 = info.http2;
    drop(info);
    if !http2 {
        let served = http1::serve(transport, BytesMut::new(), handler, limits, drain, held.counters());
        if let Err(error) = served.await {
            if let Some(reason) = error.protection() {
                held.counters().note(reason);
            }
            tracing::debug!(%peer, %error, "connection ended early");
        }
        return;
    }
    let activity = Arc::new(Activity::default());
    let counters = Arc::clone(held.counters());
    let service = Adapter { service: handler, activity: Arc::clone(&activity) };
    let io = TokioIo::new(Watched::new(transport, Arc::clone(&activity), held, http2));
    let mut builder = hyper::server::conn::http2::Builder::new(LocalTasks);
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX);
    let served = Box::pin(builder.serve_connection(io, service));
    if let Err(error) = drive(pin!(served), &activity, limits, drain, true).await {
        if let Some(reason) = error.protection() {
            counters.note(reason);
        }
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

/// hyper's two kinds of connections, as far as driving them goes.
trait Drivable: Future<Output = hyper::Result<()>> {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<I, S, B> Drivable for Pin<Box<hyper::server::conn::http2::Connection<I, S, LocalTasks>>>
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        hyper::server::conn::http2::Connection::graceful_shutdown(self.get_mut().as_mut());
    }
}

/// Polls a connection to its end, within its deadlines, and tells it once when the drain begins.
async fn drive<C: Drivable>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    limits: &ConnectionLimits,
    drain: &Drain,
    http2: bool,
) -> Result<(), Ended> {
    let deadline = Deadline::after(limits.idle_timeout);
    let mut seen = activity.epoch();
    let mut told = false;
    std::future::poll_fn(|cx| {
        if drain.has_begun() && !std::mem::replace(&mut told, true) {
            connection.as_mut().graceful_shutdown();
            if activity.waiting() == Waiting::Request {
                // A sleeping client that never answers must not hold up the drain for a whole idle time.
                deadline.set(limits.header_timeout);
            }
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(ended.map_err(Ended::Broken));
        }
        let epoch = activity.epoch();
        if epoch != seen {
            seen = epoch;
            match activity.waiting() {
                Waiting::Answer => deadline.clear(),
                Waiting::Reader => deadline.set(limits.send_timeout),
                // Pings and window updates of an idle HTTP/2 client look like the start of a request here.
                Waiting::Head if !http2 => deadline.set(limits.header_timeout),
                Waiting::Head | Waiting::Request => deadline.set(limits.idle_timeout),
            }
        }
        ready!(deadline.poll(cx));
        match activity.waiting() {
            Waiting::Reader => Poll::Ready(Err(Ended::ReaderStalled)),
            Waiting::Head if !http2 => {
                activity.refuse_head();
                // One turn is enough for a few bytes into an empty socket; a peer that takes none gets none.
                let _ = connection.as_mut().poll(cx);
                Poll::Ready(Err(Ended::HeadTooSlow))
            }
            _ if told => Poll::Ready(Err(Ended::Idle)),
            _ => {
                // HTTP/2 clients are told by GOAWAY, so that a request on its way is not lost (RFC 9113 section 6.8).
                told = true;
                connection.as_mut().graceful_shutdown();
                deadline.set(limits.header_timeout);
                // Registers the new deadline and lets the connection act on the shutdown.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// Why a connection ended other than by its normal close.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Broken(hyper::Error),
    #[error("the client did not finish its request head in time")]
    HeadTooSlow,
    #[error("the client did not take the answer in time")]
    ReaderStalled,
    #[error("no request in time")]
    Idle,
}

impl Ended {
    /// What the server put an end to, if it was that.
    fn protection(&self) -> Option<Protection> {
        match self {
            Self::Broken(error) if error.is_parse_too_large() => Some(Protection::HeaderList),
            Self::Broken(error) if error.is_parse() => Some(Protection::Malformed),
            Self::HeadTooSlow => Some(Protection::SlowHead),
            Self::ReaderStalled => Some(Protection::SlowReader),
            Self::Broken(_) | Self::Idle => None,
        }
    }
}

/// Spawns the tasks of HTTP/2 streams on the connection's own worker.
#[derive(Clone, Copy)]
struct LocalTasks;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalTasks {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// hyper calls services by shared reference, tower by exclusive one; and each call is noted.
struct Adapter<S> {
    service: S,
    activity: Arc<Activity>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Adapter<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<Noted<B>>;
    type Error = Infallible;
    type Future = Call<Oneshot<S, Request<Body>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.request_began();
        let in_flight = InFlight { activity: Arc::clone(&self.activity), handed_over: false };
        Call { answer: self.service.clone().oneshot(request.map(received)), in_flight: Some(in_flight) }
    }
}

fn received(incoming: Incoming) -> Body {
    use http_body_util::BodyExt as _;
    if incoming.is_end_stream() { Body::empty() } else { Body::stream(incoming.map_err(|_| BodyError::Disconnected)) }
}

/// Notes the end of a response when dropped.
struct InFlight {
    activity: Arc<Activity>,
    /// A piece was handed over and the next not asked for.
    handed_over: bool,
}

impl InFlight {
    fn asked(&mut self) {
        if std::mem::take(&mut self.handed_over) {
            self.activity.asked_again();
        }
    }

    fn handed(&mut self) {
        self.handed_over = true;
        self.activity.handed_over();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.asked();
        self.activity.response_ended();
    }
}

pin_project! {
    struct Call<F> {
        #[pin]
        answer: F,
        in_flight: Option<InFlight>,
    }
}

impl<F, B> Future for Call<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Noted<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.answer.poll(cx));
        let in_flight = this.in_flight.take();
        Poll::Ready(Ok(response.map(|body| Noted { body, in_flight })))
    }
}

pin_project! {
    /// A response's body that holds the note that its request is in flight.
    struct Noted<B> {
        #[pin]
        body: B,
        in_flight: Option<InFlight>,
    }
}

impl<B: HttpBody> HttpBody for Noted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.body.poll_frame(cx);
        if let Some(in_flight) = this.in_flight {
            in_flight.asked();
            if matches!(polled, Poll::Ready(Some(Ok(_)))) {
                in_flight.handed();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::Bound;
    use crate::worker::local_runtime;
    use bytes::Bytes;
    use http_body_util::Full;
    use std::num::NonZeroUsize;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[derive(Clone)]
    struct Fixed;

    impl Service<Request<Body>> for Fixed {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::ready(Ok(Response::new(Full::new(Bytes::from_static(b"ok")))))
        }
    }

    impl Handler for Fixed {
        type Body = Full<Bytes>;

        fn refuse(&mut self, malformed: http1::Malformed) -> Self::Response {
            let mut response = Response::new(Full::new(Bytes::from_static(malformed.reason.as_bytes())));
            *response.status_mut() = malformed.status;
            response
        }
    }

    /// Serves "ok" with these limits while `client` runs, and returns what the client made.
    fn with_server<T>(limits: ConnectionLimits, client: impl AsyncFnOnce(TcpStream, Rc<Drain>) -> T) -> T {
        let runtime = local_runtime().expect("a runtime");
        runtime.block_on(async {
            let bound = Bound::bind(&"127.0.0.1:0".parse().expect("an address"), NonZeroUsize::MIN).expect("a port");
            let local = bound.local_address().clone();
            let Address::Tcp(address) = local else { panic!("no TCP address") };
            let drain = Drain::new();
            for socket in bound.into_sockets() {
                let acceptor = Acceptor {
                    socket,
                    local: Arc::new(local.clone()),
                    limits: Rc::new(limits.clone()),
                    tls: None,
                    slots: Arc::new(Semaphore::new(1)),
                    drain: Rc::clone(&drain),
                    make_service: |_: &ConnectionInfo| Fixed,
                    admission: Admission::default(),
                };
                tokio::task::spawn_local(acceptor.run());
            }
            client(TcpStream::connect(address).await.expect("a connection"), drain).await
        })
    }

    async fn read_to_end(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an orderly end");
        text
    }

    #[test]
    fn half_a_head_is_answered_with_408() {
        let limits = ConnectionLimits { header_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
        let answer = with_server(limits, async |mut stream, _| {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.expect("written");
            read_to_end(stream).await
        });
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }

    #[test]
    fn an_idle_connection_is_closed_without_a_word() {
        let limits = ConnectionLimits { idle_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
        assert_eq!(with_server(limits, async |stream, _| read_to_end(stream).await), "");
    }

    #[test]
    fn the_last_request_of_a_connection_is_answered_and_said_to_be_the_last() {
        let limits = ConnectionLimits { requests_per_connection_max: 2, ..ConnectionLimits::default() };
        let answers = with_server(limits, async |mut stream, _| {
            stream.write_all(&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(3)).await.expect("written");
            read_to_end(stream).await
        });
        let answers: Vec<_> = answers.split("HTTP/1.1 200 OK").skip(1).collect();
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert!(!answers[0].contains("connection: close") && answers[1].contains("connection: close"), "{answers:?}");
    }

    #[test]
    fn a_drain_closes_idle_connections_and_counts_them() {
        with_server(ConnectionLimits::default(), async |mut stream, drain| {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.expect("an answer");
            assert_eq!(&answer, b"HTTP/1.1 200");
            assert_eq!(drain.open_count(), 1);
            drain.begin();
            assert!(read_to_end(stream).await.ends_with("ok"));
            drain.all_closed().await;
        });
    }
}
