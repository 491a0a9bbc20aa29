//! HTTP/2 exchanges between this client and the library's server, over a pair of local sockets.

use super::connection::Connection;
use super::pump::Client;
use super::{Connections, Http2Body, Http2Error, Limits, Slot, send};
use crate::upstream::stream::{Plain, Stream};
use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use serve::{Body, BodyError};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::task::LocalSet;

type Server = server::Connection<UnixStream, Bytes>;
type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

const LIMITS: Limits = Limits {
    body_bytes_max: 64 << 20,
    progress_timeout: Duration::from_secs(20),
    response_timeout: Duration::from_secs(20),
};

/// Runs a test with a client's connection and the server's end of it.
async fn with<F: Future<Output = ()>>(test: impl FnOnce(Rc<Connections>, Server) -> F) {
    let run = async {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let connections = Rc::new(Connections::default());
        let ours = Stream::from(Plain::Unix(ours));
        let (opened, server) =
            tokio::join!(Connection::open(ours, Scheme::HTTP, connections.notify()), server::handshake(theirs));
        drop(connections.add(opened.expect("a connection")));
        test(connections, server.expect("a handshake")).await;
    };
    LocalSet::new().run_until(run).await;
}

fn place(connections: &Connections) -> Slot {
    connections.take().expect("a place")
}

fn client() -> Client {
    Client { counter: None, identity_headers: Rc::new([]) }
}

fn head(method: Method) -> request::Parts {
    Request::builder().method(method).uri("/a").header("host", "app").body(()).expect("a request").into_parts().0
}

/// Sends a request and keeps going until its response begins.
async fn exchange(connections: &Connections, method: Method, body: Body) -> Result<Response<Http2Body>, Http2Error> {
    send(place(connections), head(method), body, LIMITS, client(), drop).await.map_err(|failed| failed.error)
}

/// The next request, while the server's connection keeps moving in a task of its own.
fn serving(mut server: Server) -> tokio::sync::mpsc::UnboundedReceiver<Accepted> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        while let Some(Ok(accepted)) = server.accept().await {
            // A test that has seen enough drops its end.
            let _ = sender.send(accepted);
        }
    });
    receiver
}

fn ok() -> Response<()> {
    Response::new(())
}

/// A body that has always more, and a count of the bytes that were taken of it.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let pieces = futures_util::stream::repeat_with(move || {
        count.fetch_add(16 * 1024, Ordering::Relaxed);
        Ok::<_, BodyError>(Frame::data(Bytes::from_static(&[0; 16 * 1024])))
    });
    (Body::stream(StreamBody::new(pieces)), taken)
}

/// Lets every task go on until none can.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_becomes_a_stream_and_its_trailers_come_and_go() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let sent = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("\"sent\""))]);
        let frames = [Ok(Frame::data(Bytes::from_static(b"hello"))), Ok(Frame::trailers(sent.clone()))];
        let body = Body::stream(StreamBody::new(futures_util::stream::iter(frames)));
        let (response, ()) = tokio::join!(exchange(&connections, Method::POST, body), async {
            let (request, mut respond) = requests.recv().await.expect("a request");
            assert_eq!(request.uri(), "http://app/a");
            assert!(!request.headers().contains_key("host"));
            let mut body = request.into_body();
            let data = body.data().await.expect("data").expect("data");
            assert_eq!(data, "hello");
            body.flow_control().release_capacity(data.len()).expect("released");
            assert_eq!(body.data().await.map(|data| data.is_ok()), None);
            assert_eq!(body.trailers().await.expect("trailers"), Some(sent));
            let mut stream = respond.send_response(ok(), false).expect("sent");
            stream.send_data("answer".into(), false).expect("sent");
            let status = (http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
            stream.send_trailers(HeaderMap::from_iter([status])).expect("sent");
        });
        let collected = response.expect("a response").into_body().collect().await.expect("whole");
        assert_eq!(collected.trailers().expect("trailers")["grpc-status"], "0");
        assert_eq!(collected.to_bytes(), "answer");
        assert!(connections.take().is_some(), "the place is free again");
    })
    .await;
}

#[tokio::test]
async fn responses_before_the_final_one_are_told() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let mut told = Vec::new();
        let sending = send(place(&connections), head(Method::GET), Body::empty(), LIMITS, client(), |response| {
            told.push(response.status().as_u16());
        });
        let (response, ()) = tokio::join!(sending, async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            for status in [100, 103] {
                let informational = Response::builder().status(status).body(()).expect("a response");
                respond.send_informational(informational).expect("sent");
            }
            settle().await;
            respond.send_response(ok(), true).expect("sent");
        });
        assert_eq!(response.map_err(|failed| failed.error).expect("a response").status(), 200);
        // The 100 is between the two ends of this stream.
        assert_eq!(told, [103]);
    })
    .await;
}

#[tokio::test]
async fn more_responses_before_the_final_one_than_anybody_needs_are_malformed() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let (failed, ()) = tokio::join!(exchange(&connections, Method::GET, Body::empty()), async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            for _ in 0..100 {
                let informational = Response::builder().status(103).body(()).expect("a response");
                // Refused once the stream is reset.
                let _ = respond.send_informational(informational);
                tokio::task::yield_now().await;
            }
        });
        let error = failed.err();
        assert!(matches!(error, Some(Http2Error::Malformed(_))), "{error:?}");
    })
    .await;
}

/// RFC 9110 section 10.1.1: the client keeps its body until the endpoint asks for it.
#[tokio::test]
async fn a_body_waits_until_the_endpoint_asks_for_it() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let mut head = head(Method::POST);
        head.headers.insert(http::header::EXPECT, HeaderValue::from_static("100-continue"));
        let (body, taken) = endless();
        let sending = send(place(&connections), head, body, LIMITS, client(), drop);
        let (response, ()) = tokio::join!(sending, async {
            let (request, mut respond) = requests.recv().await.expect("a request");
            settle().await;
            assert_eq!(taken.load(Ordering::Relaxed), 0, "nobody has asked");
            respond.send_informational(Response::builder().status(100).body(()).expect("a response")).expect("sent");
            assert!(request.into_body().data().await.expect("data").is_ok());
            respond.send_response(ok(), true).expect("sent");
        });
        assert_eq!(response.map_err(|failed| failed.error).expect("a response").status(), 200);
    })
    .await;
}

#[tokio::test]
async fn who_does_not_read_a_response_stops_the_endpoint_at_its_window() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let (response, mut stream) = tokio::join!(exchange(&connections, Method::GET, Body::empty()), async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            respond.send_response(ok(), false).expect("sent")
        });
        let mut body = response.expect("a response").into_body();
        const WHOLE: usize = 1 << 20;
        let mut sent = 0;
        stream.reserve_capacity(WHOLE);
        let mut fill = async |stream: &mut h2::SendStream<Bytes>| {
            poll_fn(|cx| {
                while sent < WHOLE
                    && let Poll::Ready(capacity) = stream.poll_capacity(cx)
                {
                    let capacity = capacity.expect("open").expect("open");
                    stream.send_data(Bytes::from(vec![7; capacity]), false).expect("sent");
                    sent += capacity;
                }
                Poll::Ready(())
            })
            .await;
            sent
        };
        for _ in 0..100 {
            fill(&mut stream).await;
            settle().await;
        }
        let before = fill(&mut stream).await;
        assert_eq!(before, 256 * 1024, "what one client does not take is bounded");
        // Others on the same connection are not held up by it.
        let (other, ()) = tokio::join!(exchange(&connections, Method::GET, Body::empty()), async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            respond.send_response(ok(), false).expect("sent").send_data("other".into(), true).expect("sent");
        });
        let other = other.expect("a response").into_body().collect().await.expect("whole");
        assert_eq!(other.to_bytes(), "other");

        let mut read = 0;
        while read < WHOLE {
            while fill(&mut stream).await == read {
                settle().await;
            }
            read += body.frame().await.expect("more").expect("more").into_data().expect("data").len();
        }
        assert_eq!(read, WHOLE);
    })
    .await;
}

#[tokio::test]
async fn who_does_not_take_a_request_stops_the_client() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let (body, taken) = endless();
        let client = Rc::clone(&connections);
        let sending = tokio::task::spawn_local(async move {
            let _ = exchange(&client, Method::POST, body).await;
        });
        let _held = requests.recv().await.expect("a request");
        settle().await;
        let after_a_while = taken.load(Ordering::Relaxed);
        settle().await;
        assert_eq!(taken.load(Ordering::Relaxed), after_a_while);
        // The server's window, what may wait for the socket, and the piece in hand.
        assert!((65_535..=65_535 + 64 * 1024 + 16 * 1024).contains(&after_a_while), "{after_a_while}");
        sending.abort();
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_a_request_goes_on_while_nobody_reads_the_response() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let (sender, pieces) = tokio::sync::mpsc::unbounded_channel();
        let pieces = futures_util::stream::unfold(pieces, |mut pieces| async { Some((pieces.recv().await?, pieces)) });
        let (response, request) =
            tokio::join!(exchange(&connections, Method::POST, Body::stream(StreamBody::new(pieces))), async {
                let (request, mut respond) = requests.recv().await.expect("a request");
                (request, respond.send_response(ok(), false).expect("sent"))
            });
        let response = response.expect("a response");
        let (request, mut answer) = request;
        let mut body = request.into_body();
        for piece in ["one", "two"] {
            sender.send(Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).expect("the request is under way");
            assert_eq!(body.data().await.expect("data").expect("data"), piece);
        }
        // When the client's side breaks off, the endpoint learns it, and the response says why it ends.
        sender.send(Err(BodyError::Disconnected)).expect("the request is under way");
        let error = body.data().await.expect("an end").expect_err("not a whole request");
        assert_eq!(error.reason(), Some(Reason::CANCEL));
        let reset = poll_fn(|cx| answer.poll_reset(cx)).await.expect("a reason");
        assert_eq!(reset, Reason::CANCEL);
        let error = response.into_body().collect().await.expect_err("broken off");
        assert_eq!(error, BodyError::Disconnected);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_resets_its_stream() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        // Before the response.
        let client = Rc::clone(&connections);
        let (body, _) = endless();
        let sending = tokio::task::spawn_local(async move { drop(exchange(&client, Method::POST, body).await) });
        let (_request, mut respond) = requests.recv().await.expect("a request");
        sending.abort();
        assert_eq!(poll_fn(|cx| respond.poll_reset(cx)).await.expect("a reason"), Reason::CANCEL);
        // In the middle of it.
        let (response, mut stream) = tokio::join!(exchange(&connections, Method::GET, Body::empty()), async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            respond.send_response(ok(), false).expect("sent")
        });
        drop(response);
        assert_eq!(poll_fn(|cx| stream.poll_reset(cx)).await.expect("a reason"), Reason::CANCEL);
        assert!(connections.take().is_some(), "the connection lives on");
    })
    .await;
}

#[tokio::test]
async fn lengths_must_be_true_where_there_is_a_body() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let long = |status: u16| Response::builder().status(status).header("content-length", "5").body(());
        for (method, status, body, whole) in [
            (Method::GET, 200, Some("hello"), true),
            (Method::GET, 200, Some("hell"), false),
            (Method::GET, 200, Some("hello!"), false),
            (Method::HEAD, 200, None, true),
            (Method::HEAD, 200, Some("hello"), false),
            (Method::GET, 304, None, true),
        ] {
            let (response, ()) = tokio::join!(exchange(&connections, method.clone(), Body::empty()), async {
                let (_, mut respond) = requests.recv().await.expect("a request");
                let response = long(status).expect("a response");
                let mut stream = respond.send_response(response, body.is_none()).expect("sent");
                if let Some(body) = body {
                    // The client may have found it out already.
                    let _ = stream.send_data(body.into(), true);
                }
            });
            let collected = match response {
                Ok(response) => response.into_body().collect().await.map_err(|_| ()),
                Err(_) => Err(()),
            };
            assert_eq!(collected.is_ok(), whole, "{method} {status} {body:?}");
        }
        let (empty, ()) = tokio::join!(exchange(&connections, Method::GET, Body::empty()), async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            let response = Response::builder().status(StatusCode::NO_CONTENT).body(()).expect("a response");
            respond.send_response(response, true).expect("sent");
        });
        assert!(empty.expect("a response").into_body().is_end_stream());
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_comes_back_whole_and_the_limit_is_learnt() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let _others = [place(&connections), place(&connections)];
        let sending = send(place(&connections), head(Method::POST), Body::full("pay"), LIMITS, client(), drop);
        let (outcome, ()) = tokio::join!(sending, async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            respond.send_reset(Reason::REFUSED_STREAM);
        });
        let Err(failed) = outcome else { unreachable!("a refused request has no response") };
        assert!(matches!(failed.error, Http2Error::Refused(_)), "{}", failed.error);
        let (head, body) = *failed.again.expect("it may be sent again");
        assert_eq!((head.method, body.collect().await.expect("whole").to_bytes()), (Method::POST, "pay".into()));
        assert!(connections.take().is_none(), "two at once is what it takes");
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_was_reset_otherwise_is_lost() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let sending = send(place(&connections), head(Method::GET), Body::empty(), LIMITS, client(), drop);
        let (outcome, ()) = tokio::join!(sending, async {
            let (_, mut respond) = requests.recv().await.expect("a request");
            respond.send_reset(Reason::INTERNAL_ERROR);
        });
        let Err(failed) = outcome else { unreachable!("a reset request has no response") };
        assert!(matches!(failed.error, Http2Error::Reset(_)), "{}", failed.error);
        assert!(!failed.unprocessed && !failed.stale, "it may have had an effect");
    })
    .await;
}

/// Takes a request, and answers it or does not.
async fn next_request(server: &mut Server, answering: bool) {
    let (_, mut respond) = server.accept().await.expect("a request").expect("a request");
    if answering {
        respond.send_response(ok(), true).expect("sent");
        // Writes the answer.
        poll_fn(|cx| Poll::Ready(server.poll_closed(cx).is_ready())).await;
    }
}

/// The race of every kept connection: the endpoint closes it at the moment of its next use.
#[tokio::test]
async fn a_connection_that_was_used_before_may_turn_out_to_be_closed() {
    for (used, method, body, again) in [
        (true, Method::GET, "", true),
        (true, Method::DELETE, "", true),
        (true, Method::POST, "", false),
        (true, Method::PUT, "body", false),
        (false, Method::GET, "", false),
    ] {
        with(|connections, mut server| async move {
            if used {
                let (answer, ()) =
                    tokio::join!(exchange(&connections, Method::GET, Body::empty()), next_request(&mut server, true));
                assert!(answer.is_ok());
            }
            let sending = send(place(&connections), head(method.clone()), Body::full(body), LIMITS, client(), drop);
            let (outcome, ()) = tokio::join!(sending, async {
                next_request(&mut server, false).await;
                drop(server);
            });
            let failed = outcome.err().expect("no response");
            assert!(matches!(failed.error, Http2Error::Reset(_)), "{}", failed.error);
            assert_eq!(failed.unprocessed || failed.stale, again, "{used} {method} {body:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_and_a_silent_connection_is_left() {
    with(|connections, mut server| async move {
        let silent = exchange(&connections, Method::GET, Body::empty()).await;
        assert!(matches!(silent, Err(Http2Error::Timeout)));
        assert!(connections.take().is_none(), "not a byte came: nobody is there");
        drop(server.accept().await);
    })
    .await;
    with(|connections, server| async move {
        let mut requests = serving(server);
        let never = Body::stream(StreamBody::new(futures_util::stream::pending()));
        let (slow, _held) = tokio::join!(exchange(&connections, Method::POST, never), requests.recv());
        assert!(matches!(slow, Err(Http2Error::Client(BodyError::TooSlow))));
        let (body, _) = endless();
        let stuck = exchange(&connections, Method::POST, body);
        let other = exchange(&connections, Method::GET, Body::empty());
        let (stuck, other, _held) = tokio::join!(stuck, other, async {
            let held = requests.recv().await.expect("the first");
            let (_, mut respond) = requests.recv().await.expect("the other");
            respond.send_response(ok(), true).expect("sent");
            held
        });
        assert!(matches!(stuck, Err(Http2Error::Timeout)) && other.is_ok());
        assert!(connections.take().is_some(), "the endpoint speaks, only not about this request");
    })
    .await;
}

#[tokio::test]
async fn too_large_a_body_is_the_clients_mistake() {
    with(|connections, server| async move {
        let mut requests = serving(server);
        let limits = Limits { body_bytes_max: 100_000, ..LIMITS };
        let (body, _) = endless();
        let sending = send(place(&connections), head(Method::POST), body, limits, client(), drop);
        let (outcome, reason) = tokio::join!(sending, async {
            let (request, _respond) = requests.recv().await.expect("a request");
            let mut body = request.into_body();
            loop {
                match body.data().await.expect("no end") {
                    Ok(data) => body.flow_control().release_capacity(data.len()).expect("released"),
                    Err(error) => return error.reason(),
                }
            }
        });
        let error = outcome.map_err(|failed| failed.error).err();
        assert!(matches!(error, Some(Http2Error::Client(BodyError::TooLarge { limit_bytes: 100_000 }))));
        assert_eq!(reason, Some(Reason::CANCEL));
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_says_so() {
    with(|connections, mut server| async move {
        let ended = tokio::task::spawn_local(async move { server.accept().await.is_none() });
        settle().await;
        connections.sweep(Duration::from_secs(60));
        let busy = place(&connections);
        connections.sweep(Duration::ZERO);
        drop(busy);
        assert!(connections.take().is_some(), "young or in use");
        connections.sweep(Duration::ZERO);
        assert!(connections.take().is_none());
        assert!(ended.await.expect("the server's end"), "an orderly end");
    })
    .await;
}

/// Found in a review: only what came over HTTP/1.1 counted as the beginning of an answer.
#[tokio::test]
async fn an_interim_response_is_the_beginning_of_an_answer() {
    for (interim, silent) in [(None, true), (Some(103), false)] {
        with(|connections, server| async move {
            let mut requests = serving(server);
            let sending = send(place(&connections), head(Method::GET), Body::empty(), LIMITS, client(), drop);
            let (outcome, ()) = tokio::join!(sending, async {
                let (_, mut respond) = requests.recv().await.expect("a request");
                if let Some(status) = interim {
                    let informational = Response::builder().status(status).body(()).expect("a response");
                    respond.send_informational(informational).expect("sent");
                    settle().await;
                }
                respond.send_reset(Reason::INTERNAL_ERROR);
            });
            let Err(failed) = outcome else { unreachable!("a reset request has no response") };
            assert_eq!(failed.silent, silent, "{interim:?}");
        })
        .await;
    }
}

/// Found in a review: such a POST counted as one that may have had an effect.
#[tokio::test]
async fn what_could_not_be_begun_can_go_elsewhere_whatever_its_method() {
    with(|connections, server| async move {
        let slot = place(&connections);
        drop(server);
        settle().await;
        let outcome = send(slot, head(Method::POST), Body::full("pay"), LIMITS, client(), drop).await;
        let Err(failed) = outcome else { unreachable!("nobody is there") };
        assert!(matches!(failed.error, Http2Error::Reset(_)), "{}", failed.error);
        assert!(failed.unprocessed, "not a byte of it was written");
        let (head, body) = *failed.again.expect("it may be sent again");
        assert_eq!((head.method, body.collect().await.expect("whole").to_bytes()), (Method::POST, "pay".into()));
    })
    .await;
}
