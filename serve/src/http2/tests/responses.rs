//! The way out: heads, bodies, trailers, windows.

use super::*;

#[test]
fn a_small_response_ends_in_its_last_frame() {
    let answer = async |_| Response::new(TestBody::full("hello"));
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, GET)).await;
        let (flags, ..) = frames.of(1).await;
        assert_eq!(flags, END_HEADERS);
        let (kind, flags, id, payload) = frames.next().await.expect("a frame");
        assert_eq!((kind, flags, id, payload.as_slice()), (0, END_STREAM, 1, &b"hello"[..]));
    });
}

#[test]
fn a_body_whose_end_shows_late_ends_in_its_last_frame_too() {
    let answer = async |_| {
        let (sender, body) = TestBody::streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"one")))).expect("open");
        sender.send(Ok(Frame::data(Bytes::from_static(b"two")))).expect("open");
        Response::new(body)
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, GET)).await;
        assert_eq!(frames.of(0).await, (0, 1, b"one".to_vec()));
        assert_eq!(frames.of(0).await, (END_STREAM, 1, b"two".to_vec()));
    });
}

#[test]
fn responses_without_a_body() {
    let answer = async |request: Request<Body>| {
        let status = if request.method() == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT };
        let mut response = Response::new(TestBody::full("hello"));
        *response.status_mut() = status;
        response
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        for (method, length) in [(Method::HEAD, Some("5")), (Method::GET, None)] {
            let answer = sender.send_request(request(method), true).expect("sent").0.await.expect("an answer");
            let found = answer.headers().get("content-length").map(|value| value.to_str().expect("text"));
            assert_eq!(found, length);
            assert!(answer.body().is_end_stream());
        }
    });
}

#[test]
fn a_wrong_length_and_a_broken_body_reset_the_stream() {
    let answer = async |request: Request<Body>| {
        let (sender, body) = TestBody::streamed();
        sender.send(Ok(Frame::data(Bytes::from_static(b"12345")))).expect("open");
        let mut response = Response::new(body);
        if request.method() == Method::GET {
            response.headers_mut().insert("content-length", HeaderValue::from(6));
        } else if request.method() == Method::PUT {
            response.headers_mut().insert("content-length", HeaderValue::from(4));
        } else {
            sender.send(Err(BodyError::Upstream)).expect("open");
        }
        response
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = sender.send_request(request(method), true).expect("sent").0.await;
            let error = match answer {
                Ok(answer) => bytes(answer.into_body()).await.expect_err("a reset"),
                Err(error) => error,
            };
            assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        }
    });
}

#[test]
fn a_slow_reader_holds_little_of_a_large_body() {
    const PIECES: usize = 400;
    let taken = Rc::new(Cell::new(0_usize));
    /// Pieces of 16 KiB without end, counted.
    struct Endless(Rc<Cell<usize>>);
    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.set(self.0.get() + 1);
            Poll::Ready((self.0.get() <= PIECES).then(|| Ok(Frame::data(Bytes::from(vec![7; 16 * 1024])))))
        }
    }
    #[derive(Clone)]
    struct Large(Rc<Cell<usize>>);
    impl Service<Request<Body>> for Large {
        type Response = Response<Endless>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::ready(Ok(Response::new(Endless(Rc::clone(&self.0)))))
        }
    }
    impl Handler for Large {
        type Body = Endless;
        fn refuse(&mut self, _: Malformed) -> Self::Response {
            Response::new(Endless(Rc::clone(&self.0)))
        }
    }
    local_runtime().expect("a runtime").block_on(async {
        let (ours, stream) = UnixStream::pair().expect("a pair");
        let (counters, drain, limits) = (Arc::default(), Drain::new(), ConnectionLimits::default());
        let service = Large(Rc::clone(&taken));
        let served = serve(Transport::Unix(ours), BytesMut::new(), service, &limits, &drain, &counters);
        let client = async {
            let (mut sender, connection) = connect(stream).await;
            let answer = sender.send_request(request(Method::GET), true).expect("sent").0.await.expect("an answer");
            let mut body = answer.into_body();
            let mut all = 0;
            while let Some(data) = body.data().await {
                let data = data.expect("data");
                all += data.len();
                // The window that the client leaves open, what h2 may hold, and two pieces in hand.
                let ahead = (taken.get() * 16 * 1024).saturating_sub(all);
                assert!(ahead <= (64 + 64 + 32 + 16) * 1024, "{ahead} bytes ahead of the reader");
                body.flow_control().release_capacity(data.len()).expect("released");
            }
            assert_eq!(all, PIECES * 16 * 1024);
            drop((sender, body));
            connection.await.expect("a task").expect("an orderly end");
        };
        let (served, ()) = tokio::join!(served, client);
        served.expect("an orderly end");
    });
}

#[test]
fn an_early_response_ends_an_upload_without_an_error() {
    let answer = async |_| Response::new(TestBody::full("enough"));
    with(ConnectionLimits::default(), answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        assert_eq!(frames.of(0).await, (END_STREAM, 1, b"enough".to_vec()));
        assert_eq!(frames.of(3).await, (0, 1, vec![0; 4]), "RST_STREAM with NO_ERROR");
    });
}

#[test]
fn interim_responses_come_first() {
    let answer = async |request: Request<Body>| {
        let interim = request.body().interim().expect("from a connection");
        let mut fields = HeaderMap::new();
        fields.insert("link", HeaderValue::from_static("</a>"));
        fields.insert("connection", HeaderValue::from_static("close"));
        assert!(interim.send(StatusCode::EARLY_HINTS, fields));
        let all = request.into_body().collect().await.expect("a body").to_bytes();
        Response::new(TestBody::full(all))
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let mut head = request(Method::POST);
        head.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
        let (mut answer, mut body) = sender.send_request(head, false).expect("sent");
        let mut statuses = Vec::new();
        while statuses.len() < 2 {
            let interim = poll_fn(|cx| answer.poll_informational(cx)).await.expect("interim").expect("interim");
            statuses.push(interim.status());
        }
        assert_eq!(statuses, [StatusCode::EARLY_HINTS, StatusCode::CONTINUE]);
        body.send_data(Bytes::from_static(b"now"), true).expect("sent");
        assert_eq!(bytes(answer.await.expect("an answer").into_body()).await.expect("a body").0, b"now");
    });
}

#[test]
fn nobody_who_did_not_wait_is_told_to_continue() {
    with(ConnectionLimits::default(), echo, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        frames.send(&frame(0, END_STREAM, 1, b"x")).await;
        let (_, _, head) = frames.of(1).await;
        assert_eq!(head[0], 0x88, ":status 200 of the static table");
    });
}

#[test]
fn a_length_without_a_body_resets_the_stream() {
    let answer = async |_| {
        let (sender, mut body) = TestBody::streamed();
        drop(sender);
        body.is_at_end = true;
        let mut response = Response::new(body);
        response.headers_mut().insert("content-length", HeaderValue::from(5));
        response
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, _connection) = connect(peer.stream).await;
        let answer = sender.send_request(request(Method::GET), true).expect("sent").0.await;
        assert_eq!(answer.expect_err("a reset").reason(), Some(Reason::INTERNAL_ERROR));
    });
}
