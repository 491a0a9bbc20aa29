//! An endpoint behind which packets vanish: the far end of a cable in a network namespace of the test's own.

use super::load::{Load, Sent};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// A namespace with one end of a cable. Dropped, both are gone.
struct Namespace {
    name: String,
}

fn ip(arguments: &str) -> bool {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

impl Namespace {
    /// `None`: this process may not.
    fn make() -> Option<Self> {
        let name = format!("hole{}", std::process::id() % 100_000);
        if !ip(&format!("netns add {name}")) {
            return None;
        }
        let namespace = Self { name };
        let Self { name } = &namespace;
        let made = ip(&format!("link add {name}a type veth peer name {name}b netns {name}"))
            && ip(&format!("addr add 198.18.77.1/30 dev {name}a"))
            && ip(&format!("link set {name}a up"))
            && ip(&format!("netns exec {name} ip link set {name}b up"))
            // The address is nobody's there, so what comes for it is dropped without a word.
            && ip(&format!("neigh replace 198.18.77.2 lladdr 02:00:00:00:00:01 dev {name}a nud permanent"));
        made.then_some(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&format!("link del {}a", self.name));
        ip(&format!("netns del {}", self.name));
    }
}

fn config(endpoints: &[&str]) -> String {
    let timeout = CONNECT_TIMEOUT.as_millis();
    forwarding_to(&endpoints.join("\", \""))
        .replace("[[route]]", &format!("connect_timeout = \"{timeout}ms\"\nbalance = \"round-robin\"\n[[route]]"))
}

/// How long 99 of 100 took at most.
fn p99<'a>(sent: impl Iterator<Item = &'a Sent>) -> Duration {
    let mut took: Vec<_> = sent.map(|one| one.took).collect();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// The paths of the requests for which the hole was tried.
fn met(edge: &Edge, hole: &str) -> HashSet<String> {
    let log = edge.log().text();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines
        .filter(|line| line["tried"].to_string().contains(hole))
        .filter_map(|line| Some(line["path"].as_str()?.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_fail_over_within_the_connect_timeout_and_the_rest_is_unharmed() {
    const HOLE: &str = "198.18.77.2:80";
    let Some(_namespace) = Namespace::make() else {
        eprintln!("SKIPPED: network namespaces need root and `ip`");
        return;
    };
    let (good, other) = (Origin::start().await.always(ok("good")), Origin::start().await.always(ok("other")));
    let edge = Edge::start(&config(&[&good.endpoint(), &other.endpoint()])).await;
    let load = Load { clients: 4, requests: 500, methods: &["GET", "POST"] };
    let before = load.start(&edge.http()).finish().await;
    edge.reload(&config(&[HOLE, &good.endpoint()])).await.expect("a good configuration");
    let after = load.start(&edge.http()).finish().await;

    assert!(before.iter().chain(&after).all(|one| one.status == 200), "each was answered");
    assert_eq!(good.received().len() + other.received().len(), before.len() + after.len(), "each went once");
    let met = met(&edge, HOLE);
    let (hit, rest): (Vec<_>, Vec<_>) = after.iter().partition(|one| met.contains(&one.path));
    let before = p99(before.iter());
    println!("{} met the hole; p99 {before:?} before, {:?} of the rest", hit.len(), p99(rest.iter().copied()));
    assert!(!hit.is_empty(), "nobody met the hole");
    // Each client may meet it before anybody knows; then it is asked again once in a while.
    assert!(hit.len() <= 5 * load.clients, "{} of {} met the hole", hit.len(), after.len());
    let slowest = hit.iter().map(|one| one.took).max().unwrap_or_default();
    assert!(slowest < 3 * CONNECT_TIMEOUT, "{slowest:?}");
    let late = rest.iter().filter(|one| one.took >= CONNECT_TIMEOUT).count();
    assert_eq!(late, 0, "nobody waits for a hole that others meet");
    let rest = p99(rest.into_iter());
    assert!(rest < before * 5 + CONNECT_TIMEOUT / 10, "{rest:?} instead of {before:?}");
}
