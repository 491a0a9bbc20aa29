//! An endpoint behind which packets vanish: the far end of a cable in a network namespace of the test's own.

use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use std::process::Command;
use std::time::{Duration, Instant};

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

#[tokio::test]
async fn requests_fail_over_within_the_connect_timeout() {
    let Some(_namespace) = Namespace::make() else {
        eprintln!("SKIPPED: network namespaces need root and `ip`");
        return;
    };
    let good = Origin::start().await.always(ok("good"));
    let config = forwarding_to(&format!("198.18.77.2:80\", \"{}", good.endpoint()))
        .replace("[[route]]", "connect_timeout = \"500ms\"\nbalance = \"round-robin\"\n[[route]]");
    let edge = Edge::start(&config).await;
    let (mut slow, mut slowest) = (0, Duration::ZERO);
    for _ in 0..100 {
        let since = Instant::now();
        let _ = edge.http().post("/").body("once").send().await.expect_status(200);
        slowest = slowest.max(since.elapsed());
        slow += usize::from(since.elapsed() >= Duration::from_millis(400));
    }
    assert!(slow >= 1, "nobody met the hole");
    // The one that met it told the others; it is asked again once in a while.
    assert!(slow <= 10, "{slow} of 100 waited");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert_eq!(good.received().len(), 100, "each went once");
}
