//! How connections and streams end: drain, deadlines, floods.

use super::*;

#[test]
fn a_drain_says_so_and_lets_streams_finish() {
    let go_on = Rc::new(Notify::new());
    let service_go_on = Rc::clone(&go_on);
    let answer = move |_| {
        let go_on = Rc::clone(&service_go_on);
        async move {
            go_on.notified().await;
            Response::new(TestBody::full("done"))
        }
    };
    with(ConnectionLimits::default(), answer, async |peer| {
        let (mut sender, connection) = connect(peer.stream).await;
        let (answer, _) = sender.send_request(request(Method::GET), true).expect("sent");
        tokio::task::yield_now().await;
        peer.drain.begin();
        // The client knows once it can't send any more.
        while poll_fn(|cx| sender.poll_ready(cx)).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
        assert_eq!(bytes(answer.await.expect("an answer").into_body()).await.expect("a body").0, b"done");
        connection.await.expect("a task").expect("an orderly end");
        peer.ended.await.expect("a task").expect("an orderly end");
    });
}

/// RFC 9113 section 8.7.
#[test]
fn a_stream_that_is_not_taken_is_refused_and_those_under_way_go_on() {
    with(ConnectionLimits::default(), echo, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        assert_eq!(frames.of(1).await.1, 1, "the head of its answer");
        peer.admits.set(false);
        frames.send(&frame(1, END_HEADERS, 3, POST)).await;
        assert_eq!(frames.of(3).await, (0, 3, vec![0, 0, 0, 7]), "REFUSED_STREAM");
        assert_eq!(peer.counters.refused_streams.get(), 1);
        // What was on its way for the one that was refused disturbs nobody.
        frames.send(&frame(0, END_STREAM, 3, b"late")).await;
        frames.send(&frame(0, END_STREAM, 1, b"kept")).await;
        assert_eq!(frames.of(0).await.2, b"kept");
        peer.admits.set(true);
        frames.send(&frame(1, END_STREAM | END_HEADERS, 5, GET)).await;
        assert_eq!(frames.of(1).await.1, 5);
    });
}

#[test]
fn an_idle_connection_is_told_and_closed() {
    let limits = ConnectionLimits { idle_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    with(limits, echo, async |peer| {
        let (sender, connection) = connect(peer.stream).await;
        connection.await.expect("a task").expect("GOAWAY without an error");
        drop(sender);
        peer.ended.await.expect("a task").expect("an orderly end");
    });
}

#[test]
fn a_stream_whose_window_stays_shut_is_reset_on_its_own() {
    let limits = ConnectionLimits { send_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    let answer = async |request: Request<Body>| {
        if request.method() == Method::POST {
            // Waits for its own client, and is not to be cut for the other's sake.
            let all = request.into_body().collect().await.expect("a body").to_bytes();
            return Response::new(TestBody::full(all));
        }
        Response::new(TestBody::full(vec![7; 100]))
    };
    with(limits, answer, async |peer| {
        // SETTINGS_INITIAL_WINDOW_SIZE of 10 bytes.
        let mut frames = Frames::begin(peer.stream, &[(4, 10)]).await;
        frames.send(&frame(1, END_HEADERS, 1, POST)).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 3, GET)).await;
        assert_eq!(frames.of(0).await, (0, 3, vec![7; 10]), "what the window takes");
        assert_eq!(frames.of(3).await, (0, 3, vec![0, 0, 0, 8]), "CANCEL");
        assert_eq!(peer.counters.noted(Protection::WindowStall), 1);
        frames.send(&frame(0, END_STREAM, 1, b"still")).await;
        assert_eq!(frames.of(0).await, (END_STREAM, 1, b"still".to_vec()));
    });
}

#[test]
fn a_client_that_shuts_the_windows_of_many_streams_is_cut() {
    let limits = ConnectionLimits { send_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    let answer = async |_| Response::new(TestBody::full(vec![7; 100]));
    with(limits, answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[(4, 0)]).await;
        for number in 0..20 {
            frames.send(&frame(1, END_STREAM | END_HEADERS, 2 * number + 1, GET)).await;
        }
        assert_eq!(frames.last_words().await, CALM);
        drop(frames);
        let ended = peer.ended.await.expect("a task");
        assert!(ended.as_ref().is_err_and(|error| error.contains("window_stall")), "{ended:?}");
    });
}

#[test]
fn a_client_that_takes_no_bytes_is_cut() {
    let limits = ConnectionLimits { send_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    let answer = async |_| Response::new(TestBody::full(vec![7; 8 * 1024 * 1024]));
    with(limits, answer, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[(4, 1 << 30)]).await;
        frames.send(&frame(8, 0, 0, &(1_u32 << 30).to_be_bytes())).await;
        frames.send(&frame(1, END_STREAM | END_HEADERS, 1, GET)).await;
        assert!(peer.ended.await.expect("a task").is_err());
        assert_eq!(peer.counters.noted(Protection::SlowReader), 1);
    });
}

#[test]
fn half_a_field_block_is_not_waited_for() {
    let limits = ConnectionLimits { header_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    with(limits, echo, async |peer| {
        let mut frames = Frames::begin(peer.stream, &[]).await;
        frames.send(&frame(1, END_STREAM, 1, GET)).await;
        assert_eq!(frames.last_words().await, CALM);
        assert_eq!(peer.counters.noted(Protection::SlowHead), 1);
    });
}

#[test]
fn half_a_preface_is_not_waited_for() {
    let limits = ConnectionLimits { header_timeout: Duration::from_millis(1), ..ConnectionLimits::default() };
    with(limits, echo, async |mut peer| {
        peer.stream.write_all(&PREFACE[..9]).await.expect("written");
        assert!(peer.ended.await.expect("a task").is_err());
        assert_eq!(peer.counters.noted(Protection::SlowHead), 1);
    });
}

#[test]
fn floods_are_cut_and_counted() {
    let never = async |_| std::future::pending::<Response<TestBody>>().await;
    let repeated = |bytes: &[u8], count: u64| bytes.repeat(usize::try_from(count).expect("few"));
    let resets: Vec<u8> = (0..=u32::try_from(RESETS_MAX).expect("few"))
        .flat_map(|number| {
            let id = 2 * number + 1;
            [frame(1, END_STREAM | END_HEADERS, id, GET), frame(3, 0, id, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let open = frame(1, END_HEADERS, 1, POST);
    let empty = [open, repeated(&frame(0, 0, 1, b""), u64::from(EMPTY_FRAMES_MAX) + 1)].concat();
    let block = frame(1, 0, 1, GET);
    for (flood, reason) in [
        (resets, Protection::RapidReset),
        (repeated(&frame(6, 0, 0, &[0; 8]), CONTROL_FRAMES_MAX + 1), Protection::ControlFrames),
        (repeated(&frame(4, 0, 0, &[]), CONTROL_FRAMES_MAX + 1), Protection::ControlFrames),
        (repeated(&frame(2, 0, 1, &[0, 0, 0, 0, 1]), CONTROL_FRAMES_MAX + 1), Protection::ControlFrames),
        (empty, Protection::EmptyFrames),
        ([block, repeated(&frame(9, 0, 1, b""), 10)].concat(), Protection::Continuation),
    ] {
        with(ConnectionLimits::default(), never, async |peer| {
            let (read, mut write) = peer.stream.into_split();
            let writing = tokio::task::spawn_local(async move {
                let begun = [PREFACE, &frame(4, 0, 0, &[])].concat();
                let _ = write.write_all(&[begun, flood].concat()).await;
                write
            });
            let mut all = Vec::new();
            let mut read = read;
            let _ = read.read_to_end(&mut all).await;
            drop(writing.await);
            let ended = peer.ended.await.expect("a task");
            assert!(ended.as_ref().is_err_and(|error| error.contains(reason.label())), "{reason:?}: {ended:?}");
            assert_eq!(peer.counters.noted(reason), 1, "{reason:?}");
            // GOAWAY is the last frame, and its reason the last but its debug data.
            assert!(all.windows(4).any(|window| window == CALM.to_be_bytes()), "{reason:?}: no GOAWAY");
        });
    }
}
