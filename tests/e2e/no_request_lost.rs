//! What a fault costs, counted: endpoints killed, restarted, gone silent or closing at the worst moment under load.
//!
//! Load comes from a fixed number of clients with a fixed number of requests. `PORTCULLIS_TEST_RACES` says another number
//! of requests of the keep-alive race; debug builds send 10,000, which takes some seconds.

mod black_hole;
mod load;
mod overload;
mod race;
mod restarts;

use load::{Load, Sent};
use portcullis_tests::edge::{Edge, forwarding_to};
use portcullis_tests::process::Process;

/// A real process that answers every request, at this port (0: a free one).
async fn instance(port: u16) -> Process {
    let config = format!(
        "[server]\nthreads = 1\nstate = \"state\"\n[admin]\naddress = \"127.0.0.1:0\"\n[log]\naccess = false\n\
         [listener.http]\naddress = \"127.0.0.1:{port}\"\n[site.any]\n\
         [[route]]\nmatch = \"/**\"\nauth = \"public\"\nrespond = {{ body = \"ok\" }}\n"
    );
    Process::start(&config).await
}

/// One of three endpoints is killed: what may be sent twice is, and what may not fails only where it had been sent.
#[tokio::test]
async fn killing_one_of_three_endpoints_fails_nothing_that_may_be_sent_twice() {
    let mut instances = [instance(0).await, instance(0).await, instance(0).await];
    let addresses = instances.each_ref().map(|one| one.address("http").to_string());
    let config = forwarding_to(&addresses.join("\", \""))
        .replace("[[route]]", "retry_budget = { percent = 100 }\n[[route]]")
        .replace("forward = \"app\"", "forward = \"app\"\nretry = { on = [\"connect\", \"reset\"], attempts = 4 }");
    let edge = Edge::start(&config).await;
    let load = Load { clients: 8, requests: 300, methods: &["GET", "PUT", "POST"] };
    let running = load.start(&edge.http());
    running.at_least(800).await;
    instances[1].signal("KILL").await;
    instances[1].ended().await;
    let sent = running.finish().await;
    assert_eq!(sent.len(), 2400);
    let failed: Vec<&Sent> = sent.iter().filter(|one| one.status != 200).collect();
    assert!(failed.iter().all(|one| one.method == "POST"), "{failed:?}");
    assert!(failed.len() <= load.clients, "one in flight for each client: {failed:?}");
    for one in failed {
        let line = edge.log().line_with(&format!("\"path\":\"{}\"", one.path)).await;
        assert_eq!(
            (&line["code"], &line["endpoint"]),
            (&"upstream_reset".into(), &addresses[1].as_str().into()),
            "{line}"
        );
    }
}
