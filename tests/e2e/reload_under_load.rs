//! A thousand reloads under load, with streams open: nobody notices, and nothing is left of them.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::load::{Habit, Load};
use portcullis_tests::metrics::Metrics;
use portcullis_tests::origin::Origin;
use portcullis_tests::process::Process;

/// `PORTCULLIS_TEST_RELOADS` says another number.
fn reloads() -> usize {
    std::env::var("PORTCULLIS_TEST_RELOADS").ok().and_then(|number| number.parse().ok()).unwrap_or(1000)
}

fn config(endpoint: &str, revision: usize) -> String {
    format!(
        r#"
        [server]
        threads = 2
        [admin]
        address = "unix:admin.sock"
        [log]
        access = false
        [listener.front]
        address = "127.0.0.1:0"
        h2c = true
        # Every other revision has other limits, and so other doors to the same sockets.
        header_count_max = {}
        [upstream.app]
        endpoints = ["{endpoint}"]
        [[route]]
        match = "/stream"
        auth = "public"
        forward = "app"
        [[route]]
        match = "/**"
        auth = "public"
        respond = {{ body = "revision {revision}" }}
        "#,
        100 + revision % 2
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_lose_no_request_cut_no_stream_and_leave_nothing_behind() {
    let mut origin = Origin::start().await;
    let mut process = Process::start(&config(&origin.endpoint(), 0)).await;
    let address = process.address("front");
    let admin = Client::unix(&process.folder().join("admin.sock"));
    let (h1, h2) = (Client::http(address), Client::http(address).http2());
    // From the first revision, over both versions.
    let mut streams = Vec::new();
    for client in [&h1, &h1, &h2] {
        let (mut answer, exchange) = tokio::join!(client.get("/stream").open(), async {
            let mut exchange = origin.exchange().await;
            exchange
                .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 20\r\n\r\nfirst")
                .await;
            exchange
        });
        assert_eq!(answer.read_until("first").await, "first");
        streams.push((answer, exchange));
    }
    let load = Load::new().and(h1.clone(), Habit::Keep).and(h1.clone(), Habit::Fresh).and(h2, Habit::Keep);
    let (reloads, warm) = (reloads(), reloads() / 4);
    let mut warm_kib = 0;
    for revision in 1..=reloads {
        process.configure(&config(&origin.endpoint(), revision));
        let answer = admin.call("POST", "/reload").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        // Its log is a pipe, which must not fill up.
        process.says("configuration reloaded").await;
        if revision == warm {
            warm_kib = process.resident_kib();
        }
    }
    load.goes_on(50).await;
    let grown_kib = process.resident_kib().saturating_sub(warm_kib);
    println!("{reloads} reloads, {} requests, {grown_kib} KiB more than after {warm}", load.answered());
    let failures = load.failures().await;
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(h1.get("/").send().await.text(), format!("revision {reloads}"));
    // What each revision would leave behind, if it left something, is more.
    assert!(grown_kib < 16 * 1024, "{grown_kib} KiB more");

    let page = Metrics::parse(admin.get("/metrics").send().await.text());
    assert_eq!(page.get("portcullis_reloads_total{outcome=\"good\"}"), reloads as u64);
    assert_eq!(page.get("portcullis_reloads_total{outcome=\"failed\"}"), 0);

    let live = async || Metrics::parse(admin.get("/metrics").send().await.text()).get("portcullis_snapshots_live");
    let before = live().await;
    assert!(before <= 2, "the streams hold at most the first of {before} revisions");
    for (answer, mut exchange) in streams {
        exchange.send(" then the rest.").await;
        assert_eq!(answer.collect().await.expect("the stream is whole").text(), " then the rest.");
    }
    within("the first revision to be freed", async { while live().await != 1 {} }).await;
}
