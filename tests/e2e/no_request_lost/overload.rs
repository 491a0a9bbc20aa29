//! Three times as much as can be served.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long the endpoint takes for a request, however many there are.
const WORK: Duration = Duration::from_millis(100);

/// Requests at once.
const PLACES: usize = 10;

/// Requests that wait.
const SEATS: u64 = 50;

const QUEUED: &str = "portcullis_upstream_queued{upstream=\"app\"}";

const OVERLOAD: Duration = Duration::from_secs(4);

async fn status(client: Client) -> u16 {
    client.get("/").send().await.status.as_u16()
}

#[tokio::test]
async fn goodput_stays_near_capacity_and_all_is_well_soon_after() {
    let mut origin = Origin::start().await;
    let endpoint = origin.endpoint();
    let working = tokio::spawn(async move {
        loop {
            let exchange = origin.exchange().await;
            tokio::spawn(async move {
                tokio::time::sleep(WORK).await;
                exchange.reply(ok("done")).await;
            });
        }
    });
    let limits =
        format!("limits = {{ in_flight_max = {PLACES}, queue_max = {SEATS}, queue_timeout = \"2s\" }}\n[[route]]");
    let config = forwarding_to(&endpoint)
        .replace("[[route]]", &limits)
        .replace("forward = \"app\"", "forward = \"app\"\ndeadline = \"1s\"");
    let edge = Edge::start(&config).await;

    // What it can do: as many clients as places, each with one request after the other.
    let since = Instant::now();
    let mut busy = JoinSet::new();
    for _ in 0..PLACES {
        let client = edge.http();
        busy.spawn(async move {
            for _ in 0..10 {
                assert_eq!(status(client.clone()).await, 200);
            }
        });
    }
    busy.join_all().await;
    let capacity = (10 * PLACES) as f64 / since.elapsed().as_secs_f64();

    let mut offered = JoinSet::new();
    let (since, mut most) = (Instant::now(), 0);
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / (3.0 * capacity)));
    while since.elapsed() < OVERLOAD {
        ticks.tick().await;
        offered.spawn(status(edge.http()));
        if offered.len() % 100 == 0 {
            most = most.max(edge.metrics().await.get(QUEUED));
        }
    }
    assert!((1..=SEATS).contains(&most), "{most} waited");
    let statuses = offered.join_all().await;
    let took = since.elapsed().as_secs_f64();
    let good = statuses.iter().filter(|&&status| status == 200).count() as f64;
    assert!(statuses.len() as f64 > 2.0 * capacity * OVERLOAD.as_secs_f64(), "{} were offered", statuses.len());
    assert!(statuses.iter().all(|status| [200, 503, 504].contains(status)), "{statuses:?}");
    let goodput = good / took;
    assert!(goodput > 0.9 * capacity, "{goodput:.0} of {capacity:.0} a second");

    let recovered = async {
        loop {
            let since = Instant::now();
            if status(edge.http()).await == 200 && since.elapsed() < 3 * WORK {
                return;
            }
        }
    };
    let since = Instant::now();
    within("recovery", recovered).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(edge.metrics().await.get(QUEUED), 0);
    working.abort();
}
