//! From a listening socket to calls of a service: accept, connection slot, TLS, HTTP/1 or HTTP/2.

use crate::admission::{Admission, Admitted};
use crate::clients::Place;
use crate::counters::{ConnectionCounters, Refusal};
use crate::drain::{Drain, Open};
use crate::handler::Handler;
use crate::held::{Accepted, Held};
use crate::http1;
use crate::http2::{self, preface};
pub use crate::limits::ConnectionLimits;
use crate::listener::{Accepting, Address, Peer, Socket, canonical};
use crate::timer;
use crate::transport::Transport;
use bytes::BytesMut;
use futures_util::FutureExt;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

/// After a failed accept (no descriptors left), how long until the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that are still taken when accepting has ended: the queue may be filled as fast as it is emptied.
const QUEUED_MAX: usize = 16 * 1024;

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
{
    /// Accepts until the drain ends it, and then what waits in the kernel's queue. Must run on a local runtime.
    ///
    /// # Errors
    /// Only when the socket can't be registered with the runtime; failures of single accepts are logged.
    pub async fn run(self) -> io::Result<()> {
        let Self { socket, local, limits, tls, slots, drain, admission, make_service } = self;
        let listener = Accepting::register(socket)?;
        let (make_service, admission) = (Rc::new(make_service), Rc::new(admission));
        let acceptor = tls.map(TlsAcceptor::from);
        let many_addresses = matches!(*local, Address::Tcp(address) if address.ip().is_unspecified());
        let mut left = None;
        loop {
            let accepted = if let Some(left) = &mut left {
                // What the kernel has taken already was promised an answer.
                match listener.accept().now_or_never() {
                    Some(accepted) if *left > 0 => {
                        *left -= 1;
                        accepted
                    }
                    _ => return Ok(()),
                }
            } else {
                tokio::select! {
                    biased;
                    () = drain.accepting_ends() => {
                        left = Some(QUEUED_MAX);
                        continue;
                    }
                    accepted = listener.accept() => accepted,
                }
            };
            let (transport, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(_) if left.is_some() => return Ok(()),
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
            let open = drain.open();
            let slot = match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => slot,
                Err(_) => {
                    admission.counters.waited.increment();
                    // In a drain too: the connections that end make room.
                    let slot = Arc::clone(&slots).acquire_owned().await;
                    // Nobody closes the semaphore; if somebody did, it would be to stop.
                    let Ok(slot) = slot else { return Ok(()) };
                    slot
                }
            };
            // A listener on all addresses has none of its own to tell.
            let own = many_addresses.then(|| transport.local_address()).flatten();
            let local = own.map_or_else(|| Arc::clone(&local), |own| Arc::new(Address::Tcp(canonical(own))));
            let limits = Rc::clone(&limits);
            match admitted {
                // Nothing comes before HTTP/1: the whole task is what an idle connection costs, so it begins there.
                Some(admitted) if acceptor.is_none() && !limits.h2c => {
                    let (info, place) = known(admitted, peer, local, None, false);
                    let held = Held { _slot: slot, _place: place, accepted };
                    let handler = make_service(&info);
                    tokio::task::spawn_local(serve_http1(
                        transport,
                        BytesMut::new(),
                        held,
                        handler,
                        limits,
                        open,
                        peer,
                    ));
                }
                admitted => {
                    let (acceptor, make_service, admission) =
                        (acceptor.clone(), Rc::clone(&make_service), Rc::clone(&admission));
                    tokio::task::spawn_local(async move {
                        // Boxed: its state is many times as large as that of an idle connection.
                        let opening = Box::pin(open_up(
                            transport,
                            peer,
                            admitted,
                            acceptor,
                            limits.handshake_timeout,
                            &admission,
                        ));
                        if let Some(Opened { transport, admitted, tls, http2 }) = opening.await {
                            let (info, place) = known(admitted, peer, local, tls, http2);
                            let held = Held { _slot: slot, _place: place, accepted };
                            serve(transport, held, info, limits, &*make_service, open).await;
                        }
                    });
                }
            }
        }
    }
}

/// What is known of a connection now that HTTP may begin on it.
fn known(
    admitted: Admitted,
    transport_peer: Peer,
    own: Arc<Address>,
    tls: Option<TlsInfo>,
    http2: bool,
) -> (ConnectionInfo, Option<Place>) {
    let Admitted { client, server, place } = admitted;
    (ConnectionInfo { peer: client, transport_peer, local: server.unwrap_or(own), tls, http2 }, place)
}

/// A connection on which HTTP may begin.
struct Opened {
    transport: Transport,
    admitted: Admitted,
    tls: Option<TlsInfo>,
    http2: bool,
}

/// What comes before HTTP, within `limit` altogether: the header that names the client, if it is not known yet, and the
/// TLS handshake, if the listener has an acceptor. `None`: refused, and counted before the peer sees its connection end.
async fn open_up(
    transport: Transport,
    peer: Peer,
    admitted: Option<Admitted>,
    acceptor: Option<TlsAcceptor>,
    mut limit: Duration,
    admission: &Admission,
) -> Option<Opened> {
    let refuse = |reason| refused(peer, reason, &admission.counters);
    let admitted = match admitted {
        Some(admitted) => admitted,
        None => {
            let began = Instant::now();
            let announced = timer::timeout(limit, admission.admit_announced(&transport, peer)).await;
            limit = limit.saturating_sub(began.elapsed());
            announced.unwrap_or(Err(Refusal::ProxyTimeout)).map_err(refuse).ok()?
        }
    };
    let Some(acceptor) = acceptor else {
        return Some(Opened { transport, admitted, tls: None, http2: false });
    };
    // What failed keeps its transport until it is counted.
    let mut handshake = pin!(acceptor.accept(transport).into_fallible());
    let stream = match timer::timeout(limit, handshake.as_mut()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((_, _transport))) => {
            refuse(Refusal::Handshake);
            return None;
        }
        Err(_) => {
            refuse(Refusal::HandshakeTimeout);
            return None;
        }
    };
    let (_, session) = stream.get_ref();
    let tls = TlsInfo {
        version: session.protocol_version(),
        server_name: session.server_name().map(|name| name.to_ascii_lowercase().into()),
    };
    let http2 = session.alpn_protocol() == Some(b"h2");
    Some(Opened { transport: Transport::Tls(Box::new(stream)), admitted, tls: Some(tls), http2 })
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
    mut transport: Transport,
    held: Held,
    mut info: ConnectionInfo,
    limits: Rc<ConnectionLimits>,
    make_service: &M,
    open: Open,
) where
    M: Fn(&ConnectionInfo) -> H,
    H: Handler,
{
    let mut early = BytesMut::new();
    if limits.h2c && info.tls.is_none() {
        let Some(beginning) = preface::beginning(&mut transport, &limits, open.drain()).await else { return };
        info.http2 = beginning.http2;
        early = beginning.early;
        if !info.http2 {
            held.counters().received_bytes.add(early.len() as u64);
        }
    }
    let handler = make_service(&info);
    let (peer, http2) = (info.peer, info.http2);
    drop(info);
    // Boxed, each: the state before it stays behind as long as this task, and most connections are idle.
    if http2 {
        let serving = Box::pin(http2::serve(transport, early, handler, &limits, open.drain(), held.counters()));
        if let Err(error) = serving.await {
            tracing::debug!(%peer, %error, "connection ended early");
        }
    } else {
        Box::pin(serve_http1(transport, early, held, handler, limits, open, peer)).await;
    }
}

async fn serve_http1<H: Handler>(
    transport: Transport,
    early: BytesMut,
    held: Held,
    handler: H,
    limits: Rc<ConnectionLimits>,
    open: Open,
    peer: Peer,
) {
    if let Err(error) = http1::serve(transport, early, handler, &limits, open.drain(), held.counters()).await {
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::listener::Bound;
    use crate::worker::local_runtime;
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body::Body as HttpBody;
    use http_body_util::Full;
    use std::convert::Infallible;
    use std::num::NonZeroUsize;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tower::Service;

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
            for socket in bound.shares(NonZeroUsize::MIN).expect("sockets").remove(0) {
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
    fn an_idle_connection_is_small() {
        fn returned_bytes<A, B, C, D, E, F, G, R>(_: fn(A, B, C, D, E, F, G) -> R) -> usize {
            size_of::<R>()
        }
        // Beside it there are the socket's registration and what the handler holds. With the task around it, more would
        // be of the allocator's next class: half a kilobyte more for each connection.
        let bytes = returned_bytes(serve_http1::<AsLargeAsAProxy>);
        assert!(bytes <= 1600, "{bytes} bytes");
    }

    /// Handles nothing; its bodies and answers are as large as those of the front server, which has a test for that.
    #[derive(Clone)]
    struct AsLargeAsAProxy;

    struct LargeBody(Full<Bytes>, #[expect(dead_code, reason = "it is there to be large")] [u64; 20]);

    impl HttpBody for LargeBody {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }
    }

    impl Service<Request<Body>> for AsLargeAsAProxy {
        type Response = Response<LargeBody>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::ready(Ok(Response::new(LargeBody(Full::default(), [0; 20]))))
        }
    }

    impl Handler for AsLargeAsAProxy {
        type Body = LargeBody;

        fn refuse(&mut self, _: http1::Malformed) -> Self::Response {
            Response::new(LargeBody(Full::default(), [0; 20]))
        }
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

    #[test]
    fn http2_in_the_clear_is_told_by_its_preface() {
        let limits = ConnectionLimits { h2c: true, ..ConnectionLimits::default() };
        let status = with_server(limits, async |stream, _| {
            let (mut sender, connection) = h2::client::handshake(stream).await.expect("a handshake");
            tokio::task::spawn_local(connection);
            let request = Request::builder().uri("http://a/").body(()).expect("a request");
            sender.send_request(request, true).expect("sent").0.await.expect("an answer").status()
        });
        assert_eq!(status, http::StatusCode::OK);
    }

    #[test]
    fn the_same_listener_speaks_http1() {
        // Even with a method that begins like HTTP/2's preface, and cut anywhere.
        for (head, rest) in [("G", "ET / HTTP/1.1\r\n"), ("PRI", "NT / HTTP/1.1\r\n"), ("PRI ", "/ HTTP/1.1\r\n")] {
            let limits = ConnectionLimits { h2c: true, ..ConnectionLimits::default() };
            let answer = with_server(limits, async |mut stream, _| {
                stream.write_all(head.as_bytes()).await.expect("written");
                tokio::task::yield_now().await;
                stream.write_all(rest.as_bytes()).await.expect("written");
                stream.write_all(b"host: a\r\nconnection: close\r\n\r\n").await.expect("written");
                read_to_end(stream).await
            });
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        }
    }

    #[test]
    fn half_a_preface_and_silence_are_not_waited_for() {
        for timeouts in
            [(Duration::from_millis(1), Duration::from_secs(60)), (Duration::from_secs(60), Duration::from_millis(1))]
        {
            let limits = ConnectionLimits {
                h2c: true,
                header_timeout: timeouts.0,
                idle_timeout: timeouts.1,
                ..ConnectionLimits::default()
            };
            let answer = with_server(limits, async |mut stream, _| {
                if timeouts.0 < timeouts.1 {
                    stream.write_all(b"PRI * HTTP/2.0\r\n").await.expect("written");
                }
                read_to_end(stream).await
            });
            assert_eq!(answer, "");
        }
    }

    #[test]
    fn where_it_is_not_allowed_http2_is_a_version_that_nobody_knows() {
        let answer = with_server(ConnectionLimits::default(), async |mut stream, _| {
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("written");
            read_to_end(stream).await
        });
        assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
    }
}
