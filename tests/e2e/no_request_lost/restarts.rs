//! The only instance is restarted, again and again, under load.

use super::instance;
use super::load::Load;
use portcullis_tests::edge::{Edge, forwarding_to};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

const RESTARTS: usize = 20;

#[tokio::test]
async fn twenty_restarts_of_the_only_instance_fail_nothing() {
    let mut app = instance(0).await;
    let address = app.address("http");
    let config = forwarding_to(&address.to_string())
        .replace("[[route]]", "park = { timeout = \"30s\" }\nretry_budget = { percent = 100 }\n[[route]]")
        .replace("forward = \"app\"", "forward = \"app\"\nretry = { on = [\"connect\", \"reset\"] }");
    let edge = Edge::start(&config).await;
    // An upstream that has never answered is not expected back.
    let _ = edge.http().get("/first").send().await.expect_status(200);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (client, stop) = (edge.http(), Arc::clone(&stop));
            let load = Load { clients: 1, requests: 20, methods: &["GET", "PUT"] };
            tokio::spawn(async move {
                let mut sent = Vec::new();
                while !stop.load(SeqCst) {
                    sent.extend(load.start(&client).finish().await);
                }
                sent
            })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for _ in 0..RESTARTS {
        let since = Instant::now();
        app.signal("TERM").await;
        app.ended().await;
        app = instance(address.port()).await;
        longest = longest.max(since.elapsed());
        // Each restart meets load: somebody is answered in between.
        let _ = edge.http().get("/between").send().await.expect_status(200);
    }
    stop.store(true, SeqCst);
    let mut sent = Vec::new();
    for client in clients {
        sent.extend(client.await.expect("joined"));
    }
    let failed = sent.iter().filter(|one| one.status != 200).count();
    let log = edge.log().text();
    let why = log.lines().find(|line| !line.contains("\"status\":200"));
    assert_eq!(failed, 0, "of {}: {why:?}", sent.len());
    let worst = sent.iter().map(|one| one.took).max().unwrap_or_default();
    assert!(worst <= longest + Duration::from_secs(1), "{worst:?} for restarts of {longest:?} at most");
    let parked = edge.metrics().await.get("portcullis_upstream_parked_total{upstream=\"app\"}");
    assert!(parked >= RESTARTS as u64 / 2, "restarts were met: {parked}");
}
