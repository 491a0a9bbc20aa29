//! Endpoints in two zones: the near ones first, as long as they can.

use portcullis_tests::deadline::until;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::linked::{Stream, asked, write_key};
use portcullis_tests::origin::{Answering, Origin};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tempfile::TempDir;

const NEAR: [&str; 2] = ["near", "near too"];
const FAR: &str = "far";

async fn server(name: &'static str) -> Answering {
    Origin::start().await.always(ok(name))
}

/// The edge is in the zone `a`, with the first two; the last one is in `b`.
fn config(near: &[Answering; 2], far: &Answering, keys: &str) -> String {
    let [one, two] = near;
    format!(
        r#"
        [server]
        threads = 1
        zone = "a"

        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = [
            {{ address = "{}", zone = "a" }},
            {{ address = "{}", zone = "a" }},
            {{ address = "{}", zone = "b" }},
        ]
        eject = {{ failures = 1, time = "1h" }}
        {keys}

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        one.endpoint(),
        two.endpoint(),
        far.endpoint()
    )
}

/// So many requests, and how many were answered by whom.
async fn answers(edge: &Edge, count: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for number in 0..count {
        let answer = edge.http().get(&format!("/{number}")).header("X-Key", &number.to_string()).send().await;
        *answers.entry(answer.expect_status(200).text().to_owned()).or_default() += 1;
    }
    answers
}

fn of(answers: &BTreeMap<String, usize>, name: &str) -> usize {
    answers.get(name).copied().unwrap_or(0)
}

/// Sends requests until the operator's page gives this percentage to the zone of each endpoint.
async fn percents(edge: &Edge, wanted: &[u64]) {
    until(format!("shares of {wanted:?}"), async || {
        let page = edge.admin().get("/upstreams").send().await.expect_status(200);
        let page: serde_json::Value = serde_json::from_str(page.text()).expect("JSON");
        let endpoints = page.as_array().expect("a list");
        let (far, near) = endpoints.split_last().expect("endpoints");
        assert!(far["zone"] == "b" && near.iter().all(|endpoint| endpoint["zone"] == "a"), "{endpoints:?}");
        let is_so =
            endpoints.iter().map(|endpoint| endpoint["zone_percent"].as_u64()).eq(wanted.iter().copied().map(Some));
        if !is_so {
            let _ = edge.http().get("/").send().await;
        }
        is_so
    })
    .await;
}

#[tokio::test]
async fn the_own_zone_spills_as_it_loses_endpoints() {
    for balance in [
        "balance = \"round-robin\"",
        "balance = \"least-requests\"",
        "balance = \"peak-ewma\"",
        "balance = \"hash\"\nhash_by = \"header:x-key\"",
    ] {
        let ([one, two], far) = ([server(NEAR[0]).await, server(NEAR[1]).await], server(FAR).await);
        let near = [one, two];
        let edge = Edge::start(&config(&near, &far, balance)).await;
        percents(&edge, &[100, 100, 0]).await;
        let all = answers(&edge, 40).await;
        assert_eq!(of(&all, FAR), 0, "{balance}: {all:?}");

        // The one of two that is asked more is lost: 70 of 100 stay. No request is lost by it.
        let lost = usize::from(of(&all, NEAR[1]) > of(&all, NEAR[0]));
        let [one, two] = near;
        let (gone, last) = if lost == 0 { (one, two) } else { (two, one) };
        drop(gone);
        percents(&edge, &[70, 70, 30]).await;
        let all = answers(&edge, 200).await;
        assert_eq!(of(&all, NEAR[lost]), 0, "{balance}");
        assert!((40..=80).contains(&of(&all, FAR)), "{balance}: {all:?}");
        let sample = "portcullis_zone_percent{upstream=\"app\",zone=\"b\"}";
        assert_eq!(edge.metrics().await.get(sample), 30);

        // The other one too. It survives by the floor and is asked last.
        drop(last);
        let all = answers(&edge, 20).await;
        assert_eq!(all, BTreeMap::from([(FAR.to_owned(), 20)]), "{balance}");
    }
}

#[tokio::test]
async fn zones_share_by_weight_where_none_comes_first() {
    let (near, far) = ([server(NEAR[0]).await, server(NEAR[1]).await], server(FAR).await);
    let keys = "balance = \"round-robin\"\nzones = { prefer_own = false, weights = { a = 1, b = 3 } }";
    let edge = Edge::start(&config(&near, &far, keys)).await;
    percents(&edge, &[25, 25, 75]).await;
    assert_eq!(of(&answers(&edge, 40).await, FAR), 30);
}

/// A client that is bound to an endpoint of another zone is not torn away from it.
#[tokio::test]
async fn a_bound_client_stays_in_its_zone() {
    let (near, far) = ([server(NEAR[0]).await, server(NEAR[1]).await], server(FAR).await);
    let sticky = "sticky = { cookie = \"home\", key = { file = \"{folder}/sticky.key\", create = true } }";
    let away =
        config(&near, &far, sticky).replace("zone = \"a\"\n\n        [listener", "zone = \"b\"\n\n        [listener");
    let edge = Edge::start(&away).await;
    let answer = edge.http().get("/").send().await.expect_status(200);
    assert_eq!(answer.text(), FAR);
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    edge.reload(&config(&near, &far, sticky)).await.expect("a good configuration");
    percents(&edge, &[100, 100, 0]).await;
    assert_eq!(edge.http().get("/").header("Cookie", &cookie).send().await.expect_status(200).text(), FAR);
    assert_ne!(edge.http().get("/").send().await.expect_status(200).text(), FAR);
}

/// A zone that has nobody but an endpoint on probation has to be asked, or it would never be well again.
#[tokio::test]
async fn a_zone_that_was_lost_by_failures_comes_back() {
    let well = Arc::new(AtomicBool::new(true));
    let is_well = Arc::clone(&well);
    let answer = move |_: &_| match is_well.load(SeqCst) {
        true => ok(NEAR[0]),
        false => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".into(),
    };
    let (near, far) = (Origin::start().await.answering(answer), server(FAR).await);
    let config = format!(
        r#"
        [server]
        threads = 1
        zone = "a"

        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = [{{ address = "{}", zone = "a" }}, {{ address = "{}", zone = "b" }}]
        eject = {{ failures = 1, time = "200ms" }}

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        near.endpoint(),
        far.endpoint()
    );
    let edge = Edge::start(&config).await;
    percents(&edge, &[100, 0]).await;
    well.store(false, SeqCst);
    // On probation it gets a seventh: a tenth, times 1.4. Each time it fails again.
    percents(&edge, &[14, 86]).await;
    well.store(true, SeqCst);
    percents(&edge, &[100, 0]).await;
    assert_eq!(of(&answers(&edge, 4).await, NEAR[0]), 4);
}

/// What an endpoint tells of itself counts before it is lost.
#[tokio::test]
async fn a_zone_that_drains_gives_everything_away_and_gets_it_back() {
    const KEY: [u8; 32] = [7; 32];
    let (mut near, mut far) = (Origin::start().await, Origin::start().await);
    let folder = TempDir::new().expect("a folder");
    write_key(&folder.path().join("shared.key"), &KEY);
    let config = format!(
        r#"
        [server]
        zone = "a"

        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = [{{ address = "{}", zone = "a" }}, {{ address = "{}", zone = "b" }}]
        assertion_key = {{ file = "{{folder}}/shared.key" }}
        link = true

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        near.endpoint(),
        far.endpoint()
    );
    let edge = Edge::start_in(folder, &config).await;
    let mut first = Stream::answer(asked(&mut near).await, &KEY).await;
    first.snapshot("0", &[]).await;
    let mut second = Stream::answer(asked(&mut far).await, &KEY).await;
    second.snapshot("0", &[]).await;
    let elsewhere = "portcullis_zone_percent{upstream=\"app\",zone=\"b\"}";
    edge.counted(elsewhere, 0).await;
    first.tell("draining", None, json!({})).await;
    edge.counted(elsewhere, 100).await;
    let (answer, ()) = tokio::join!(edge.http().get("/").send(), async { far.exchange().await.reply_text(FAR).await });
    assert_eq!(answer.expect_status(200).text(), FAR);
    first.tell("ready", None, json!({})).await;
    edge.counted(elsewhere, 0).await;
    let (answer, ()) =
        tokio::join!(edge.http().get("/").send(), async { near.exchange().await.reply_text(NEAR[0]).await });
    assert_eq!(answer.expect_status(200).text(), NEAR[0]);
}
