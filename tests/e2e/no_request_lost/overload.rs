//! Three times as much as can be served.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use portcullis_tests::edge::forwarding_to;
use portcullis_tests::exchange::ok;
use portcullis_tests::metrics::Metrics;
use portcullis_tests::origin::Origin;
use portcullis_tests::process::Process;
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, JoinSet};

/// How long the endpoint takes for a request, however many there are.
const WORK: Duration = Duration::from_millis(100);

/// Requests at once.
const PLACES: usize = 10;

/// Requests that wait.
const SEATS: u64 = 50;

const QUEUED: &str = "portcullis_upstream_queued{upstream=\"app\"}";

/// How much more may be resident at the end of the overload than after its first quarter.
const GROWN_KIB_MAX: u64 = 16 * 1024;

/// `PORTCULLIS_TEST_OVERLOAD` says another number of seconds.
fn overload() -> Duration {
    let seconds = std::env::var("PORTCULLIS_TEST_OVERLOAD").ok().and_then(|number| number.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}

async fn status(client: Client) -> u16 {
    client.get("/").send().await.status.as_u16()
}

/// An endpoint that takes [`WORK`] for each request.
fn work(mut origin: Origin) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let exchange = origin.exchange().await;
            tokio::spawn(async move {
                tokio::time::sleep(WORK).await;
                exchange.reply(ok("done")).await;
            });
        }
    })
}

/// A process, whose memory is its own.
async fn edge_before(endpoint: &str) -> Process {
    let limits =
        format!("limits = {{ in_flight_max = {PLACES}, queue_max = {SEATS}, queue_timeout = \"2s\" }}\n[[route]]");
    let config = forwarding_to(endpoint)
        .replace("[[route]]", &limits)
        .replace("forward = \"app\"", "forward = \"app\"\ndeadline = \"1s\"");
    let server =
        "[server]\nthreads = 1\nstate = \"state\"\n[admin]\naddress = \"127.0.0.1:0\"\n[log]\naccess = false\n";
    Process::start(&format!("{server}{config}\n[site.any]\n")).await
}

/// Answers a second: as many clients as places, each with one request after the other.
async fn capacity(client: &Client) -> f64 {
    let since = Instant::now();
    let mut busy = JoinSet::new();
    for _ in 0..PLACES {
        let client = client.clone();
        busy.spawn(async move {
            for _ in 0..10 {
                assert_eq!(status(client.clone()).await, 200);
            }
        });
    }
    busy.join_all().await;
    (10 * PLACES) as f64 / since.elapsed().as_secs_f64()
}

#[tokio::test]
async fn goodput_stays_near_capacity_and_all_is_well_soon_after() {
    let origin = Origin::start().await;
    let edge = edge_before(&origin.endpoint()).await;
    let working = work(origin);
    let client = Client::http(edge.address("http"));
    let admin = Client::http(edge.admin_address());
    let queued = async || Metrics::parse(admin.get("/metrics").send().await.text()).get(QUEUED);
    let capacity = capacity(&client).await;

    let (mut offered, mut statuses) = (JoinSet::new(), Vec::new());
    let (overload, since, mut most, mut warm_kib) = (overload(), Instant::now(), 0, None);
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / (3.0 * capacity)));
    let mut sent = 0_u64;
    while since.elapsed() < overload {
        ticks.tick().await;
        offered.spawn(status(client.clone()));
        sent += 1;
        if sent.is_multiple_of(100) {
            most = most.max(queued().await);
        }
        while let Some(answered) = offered.try_join_next() {
            statuses.push(answered.expect("joined"));
        }
        if since.elapsed() > overload / 4 {
            warm_kib.get_or_insert_with(|| edge.resident_kib());
        }
    }
    let grown_kib = edge.resident_kib().saturating_sub(warm_kib.expect("a quarter has passed"));
    statuses.extend(offered.join_all().await);
    let took = since.elapsed().as_secs_f64();
    // Who is sent away for somebody else counts until it has been told.
    assert!((1..=2 * SEATS).contains(&most), "{most} waited");
    assert!(
        sent as f64 > 2.5 * capacity * overload.as_secs_f64(),
        "{sent} were offered, {capacity:.0} a second can be"
    );
    assert!(statuses.iter().all(|status| [200, 503, 504].contains(status)), "{statuses:?}");
    let goodput = statuses.iter().filter(|&&status| status == 200).count() as f64 / took;
    println!("{goodput:.0} of {capacity:.0} a second, {sent} offered, {grown_kib} KiB more");
    assert!(goodput > 0.9 * capacity, "{goodput:.0} of {capacity:.0} a second");
    assert!(grown_kib < GROWN_KIB_MAX, "{grown_kib} KiB more");

    let recovered = async {
        loop {
            let since = Instant::now();
            if status(client.clone()).await == 200 && since.elapsed() < 3 * WORK {
                return;
            }
        }
    };
    let since = Instant::now();
    within("recovery", recovered).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(queued().await, 0);
    working.abort();
}
