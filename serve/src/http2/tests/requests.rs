//! The way in: many streams, uploads, resets, tunnels, malformed heads.

use super::*;

#[test]
fn many_streams_at_once() {
    with(ConnectionLimits::default(), echo, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let mut answers = Vec::new();
        for number in 0..100 {
            let (answer, mut body) = sender.send_request(request(Method::POST), false).expect("sent");
            body.send_data(Bytes::from(number.to_string()), false).expect("sent");
            let mut trailer = HeaderMap::new();
            trailer.insert("x-number", HeaderValue::from(number));
            body.send_trailers(trailer).expect("sent");
            answers.push((number, answer));
        }
        for (number, answer) in answers {
            let answer = answer.await.expect("an answer");
            assert!(answer.headers().contains_key("date"));
            let (data, trailer) = bytes(answer.into_body()).await.expect("a body");
            assert_eq!(data, number.to_string().into_bytes());
            assert_eq!(trailer.expect("a trailer")["x-number"], HeaderValue::from(number));
        }
    });
}

#[test]
fn an_upload_waits_for_the_service() {
    let (begun, go_on) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (service_begun, service_go_on) = (Rc::clone(&begun), Rc::clone(&go_on));
    let answer = move |request: Request<Body>| {
        let (begun, go_on) = (Rc::clone(&service_begun), Rc::clone(&service_go_on));
        async move {
            let body = request.into_body();
            begun.notify_one();
            go_on.notified().await;
            let all = body.collect().await.expect("a body").to_bytes();
            Response::new(TestBody::full(all.len().to_string()))
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (answer, mut body) = sender.send_request(request(Method::POST), false).expect("sent");
        begun.notified().await;
        let mut sent = 0;
        let mut send = async |until: usize| {
            while sent < until {
                body.reserve_capacity(until - sent);
                let room = poll_fn(|cx| body.poll_capacity(cx)).await.expect("open").expect("room");
                let count = room.min(until - sent);
                sent += count;
                body.send_data(Bytes::from(vec![1; count]), sent == 1024 * 1024).expect("sent");
            }
        };
        // A stream's window, and no more.
        send(256 * 1024).await;
        assert!(futures_util::poll!(std::pin::pin!(send(256 * 1024 + 1))).is_pending(), "the window is shut");
        go_on.notify_one();
        send(1024 * 1024).await;
        let answer = answer.await.expect("an answer");
        assert_eq!(bytes(answer.into_body()).await.expect("a body").0, b"1048576");
    });
}

#[test]
fn a_reset_cancels_the_service() {
    let (begun, dropped) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (service_begun, service_dropped) = (Rc::clone(&begun), Rc::clone(&dropped));
    let answer = move |request: Request<Body>| {
        let (begun, guard) = (Rc::clone(&service_begun), Dropped(Rc::clone(&service_dropped)));
        async move {
            if request.method() == Method::GET {
                let _guard = guard;
                begun.notify_one();
                std::future::pending::<()>().await;
            }
            let (sender, mut body) = TestBody::streamed();
            sender.send(Ok(Frame::data(Bytes::from_static(b"a")))).expect("open");
            std::mem::forget(sender);
            body._dropped = Some(Dropped(Rc::new(Notify::new())));
            Response::new(body)
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (_answer, mut body) = sender.send_request(request(Method::GET), true).expect("sent");
        begun.notified().await;
        body.send_reset(Reason::CANCEL);
        dropped.notified().await;
    });
}

#[test]
fn a_reset_drops_the_body_of_a_response() {
    let dropped = Rc::new(Notify::new());
    let service_dropped = Rc::clone(&dropped);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let answer = move |_| {
        let (sender, mut body) = TestBody::streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"a")))).expect("open");
        kept.borrow_mut().push(sender);
        body._dropped = Some(Dropped(Rc::clone(&service_dropped)));
        async { Response::new(body) }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (answer, mut request_body) = sender.send_request(request(Method::GET), true).expect("sent");
        let mut body = answer.await.expect("an answer").into_body();
        assert_eq!(body.data().await.expect("data").expect("data"), "a");
        request_body.send_reset(Reason::CANCEL);
        dropped.notified().await;
    });
}

fn connect_request() -> Request<()> {
    let mut head = request(Method::CONNECT);
    head.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    head
}

async fn tunnel(request: Request<Body>) -> Response<TestBody> {
    let is_websocket = request.extensions().get::<h2::ext::Protocol>().is_some_and(|name| name.as_str() == "websocket");
    let mut body = request.into_body();
    let Some(mut incoming) = body.take_tunnel().filter(|_| is_websocket) else {
        let mut response = Response::new(TestBody::full(""));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    };
    let (sender, outgoing) = TestBody::streamed();
    tokio::task::spawn_local(async move {
        while let Some(frame) = incoming.frame().await {
            let _ = sender.send(frame);
        }
        let _ = sender.send(Ok(Frame::data(Bytes::from_static(b"bye"))));
    });
    Response::new(outgoing)
}

#[test]
fn an_extended_connect_becomes_a_tunnel() {
    with(ConnectionLimits::default(), tunnel, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        // The server's settings have come with its first answer.
        let plain = sender.send_request(request(Method::GET), true).expect("sent").0.await.expect("an answer");
        assert_eq!(plain.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(sender.is_extended_connect_protocol_enabled());
        let (answer, mut to_server) = sender.send_request(connect_request(), false).expect("sent");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!answer.headers().contains_key("content-length"));
        let mut from_server = answer.into_body();
        for text in ["one", "two"] {
            to_server.send_data(Bytes::from(text), false).expect("sent");
            assert_eq!(from_server.data().await.expect("data").expect("data"), text);
        }
        to_server.send_data(Bytes::new(), true).expect("sent");
        assert_eq!(bytes(from_server).await.expect("an end").0, b"bye", "one direction outlives the other");
    });
}

#[test]
fn a_refused_tunnel_ends() {
    let ended = Rc::new(Notify::new());
    let service_ended = Rc::clone(&ended);
    let answer = move |request: Request<Body>| {
        let ended = Rc::clone(&service_ended);
        async move {
            let mut incoming = request.into_body().take_tunnel().expect("offered");
            tokio::task::spawn_local(async move {
                assert!(incoming.frame().await.is_none());
                ended.notify_one();
            });
            let mut response = Response::new(TestBody::full("no"));
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let (answer, _to_server) = sender.send_request(connect_request(), false).expect("sent");
        assert_eq!(answer.await.expect("an answer").status(), StatusCode::FORBIDDEN);
        ended.notified().await;
    });
}

#[test]
fn heads_that_are_too_large_are_answered() {
    let limits = ConnectionLimits { header_count_max: 10, header_bytes_max: 8192, ..ConnectionLimits::default() };
    let answer = async |_| Response::new(TestBody::full("ok"));
    with(limits, answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let mut many = request(Method::GET);
        for _ in 0..11 {
            many.headers_mut().append("x", HeaderValue::from_static("y"));
        }
        let mut large = request(Method::GET);
        large.headers_mut().insert("x", HeaderValue::try_from("y".repeat(8192)).expect("a value"));
        let mut huge = request(Method::GET);
        huge.headers_mut().insert("x", HeaderValue::try_from("y".repeat(16_000)).expect("a value"));
        for head in [many, large, huge] {
            let answer = sender.send_request(head, true).expect("sent").0.await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        assert_eq!(peer.counters.noted(Protection::HeaderList), 2, "the third is refused by h2 itself");
        let answer = sender.send_request(request(Method::GET), true).expect("sent").0.await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "the connection goes on");
    });
}

#[test]
fn malformed_requests_are_stream_errors_or_answered() {
    let answer = async |_| Response::new(TestBody::full("ok"));
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        // No path and no authority, which `h2` lets pass.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, b"\x82\x86")).await;
        assert_eq!(frames.of(3).await, (0, 1, vec![0, 0, 0, 1]), "PROTOCOL_ERROR");
        // A path that is none, which it does not.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 3, b"\x82\x86\x04\x01x\x01\x01a")).await;
        assert_eq!(frames.of(3).await, (0, 3, vec![0, 0, 0, 1]), "PROTOCOL_ERROR");
        // A value that ends in a space.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 5, b"\x82\x86\x84\x01\x01a\x00\x01x\x02y ")).await;
        assert_eq!(frames.of(3).await, (0, 5, vec![0, 0, 0, 1]), "PROTOCOL_ERROR");
        // What is well-formed and yet no request is answered: `*` of a GET.
        frames.send(&frame(1, END_STREAM | END_HEADERS, 9, b"\x82\x86\x04\x01*\x01\x01a")).await;
        let (_, id, head) = frames.of(1).await;
        assert_eq!((id, head[0]), (9, 0x8c), ":status 400 of the static table");
        assert_eq!(peer.counters.noted(Protection::Malformed), 3);
        // A body that is shorter than announced.
        frames.send(&frame(1, END_HEADERS, 11, b"\x83\x86\x84\x01\x01a\x0f\x0d\x015")).await;
        frames.send(&frame(0, END_STREAM, 11, b"1234")).await;
        assert_eq!(frames.of(3).await.1, 11);
    });
}
