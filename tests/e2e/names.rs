//! Names of endpoints: looked up while the edge runs, each address an endpoint of its own.

use portcullis_tests::black_hole::BlackHole;
use portcullis_tests::deadline::until;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::names::NameServer;
use portcullis_tests::origin::{Answering, Origin};
use std::net::SocketAddr;

/// A server at another loopback address, on the port of the first where one is given.
async fn server(ip: &str, port: u16) -> (Answering, u16) {
    let address: SocketAddr = format!("{ip}:{port}").parse().expect("an address");
    let origin = Origin::start_at(address).await;
    let port = origin.address().port();
    (origin.always(ok(ip)), port)
}

/// Everything goes to one endpoint, except that `/here` is answered by the edge.
fn by_name(names: &NameServer, endpoint: &str, more: &str) -> String {
    format!(
        r#"
        [server]
        threads = 1
        state = "{{folder}}/state"
        resolver = "{}"

        [listener.http]
        address = "127.0.0.1:0"

        [upstream.app]
        endpoints = ["{endpoint}"]
        balance = "round-robin"
        {more}

        [[route]]
        match = "/here"
        auth = "public"
        respond = {{ body = "here" }}

        [[route]]
        match = "/**"
        auth = "public"
        forward = "app"
        "#,
        names.address()
    )
}

async fn answer(edge: &Edge) -> String {
    edge.http().get("/").send().await.expect_status(200).text().to_owned()
}

/// Asks until the answer is the wanted one.
async fn answered(edge: &Edge, wanted: &str) {
    until(format!("an answer from {wanted}"), async || {
        let answer = edge.http().get("/").send().await;
        answer.status == 200 && answer.text() == wanted
    })
    .await;
}

#[tokio::test]
async fn each_address_of_a_name_is_balanced_like_an_endpoint() {
    let names = NameServer::start().await;
    let (_one, port) = server("127.0.0.2", 0).await;
    let (_two, _) = server("127.0.0.3", port).await;
    names.set("app", &["127.0.0.2", "127.0.0.3"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), "")).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(answer(&edge).await);
    }
    answers.sort_unstable();
    assert_eq!(answers, ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]);
}

/// Neither the TTL nor `resolve_every` ends while the test runs.
#[tokio::test]
async fn a_container_that_comes_back_elsewhere_is_found_by_the_very_request_that_misses_it() {
    let names = NameServer::start().await;
    let (old, port) = server("127.0.0.2", 0).await;
    names.set("app", &["127.0.0.2"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), "resolve_every = \"10m\"")).await;
    assert_eq!(answer(&edge).await, "127.0.0.2");
    drop(old);
    let (_new, _) = server("127.0.0.3", port).await;
    names.set("app", &["127.0.0.3"]);
    assert_eq!(answer(&edge).await, "127.0.0.3");
}

#[tokio::test]
async fn a_name_that_is_missing_at_start_costs_its_own_route_only() {
    let names = NameServer::start().await;
    let (_app, port) = server("127.0.0.2", 0).await;
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), "")).await;
    assert_eq!(edge.http().get("/").send().await.expect_status(503).edge_code(), "upstream_unresolved");
    assert_eq!(edge.http().get("/here").send().await.expect_status(200).text(), "here");
    names.set("app", &["127.0.0.2"]);
    answered(&edge, "127.0.0.2").await;
}

#[tokio::test]
async fn the_last_good_answer_is_kept_while_there_is_none() {
    let names = NameServer::start().await;
    let (_app, port) = server("127.0.0.2", 0).await;
    names.set("app", &["127.0.0.2"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), "resolve_every = \"250ms\"")).await;
    assert_eq!(answer(&edge).await, "127.0.0.2");
    names.set("app", &[]);
    // Two types each, and the first pair may have been under way.
    names.asked(6).await;
    assert_eq!(answer(&edge).await, "127.0.0.2");
}

#[tokio::test]
async fn an_address_that_is_gone_from_the_answer_gets_nothing_new() {
    let names = NameServer::start().await;
    let (gone, port) = server("127.0.0.2", 0).await;
    let (_stays, _) = server("127.0.0.3", port).await;
    names.set("app", &["127.0.0.2", "127.0.0.3"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), "resolve_every = \"250ms\"")).await;
    answered(&edge, "127.0.0.2").await;
    names.set("app", &["127.0.0.3"]);
    names.asked(6).await;
    answered(&edge, "127.0.0.3").await;
    let before = gone.received().len();
    for _ in 0..4 {
        assert_eq!(answer(&edge).await, "127.0.0.3");
    }
    assert_eq!(gone.received().len(), before);
}

/// RFC 2782: ports and shares come with the records, and what has a higher number is for later.
#[tokio::test]
async fn srv_records_say_hosts_ports_and_shares() {
    let names = NameServer::start().await;
    let (_one, first) = server("127.0.0.2", 0).await;
    let (_two, second) = server("127.0.0.3", 0).await;
    let (later, third) = server("127.0.0.4", 0).await;
    names.set("one.app", &["127.0.0.2"]);
    names.set("two.app", &["127.0.0.3"]);
    names.set("later.app", &["127.0.0.4"]);
    names.set_services(
        "_http._tcp.app",
        &[(1, 3, first, "one.app"), (1, 1, second, "two.app"), (2, 1, third, "later.app")],
    );
    let edge = Edge::start(&by_name(&names, "srv:_http._tcp.app", "")).await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(answer(&edge).await);
    }
    assert_eq!(answers.iter().filter(|answer| *answer == "127.0.0.2").count(), 6, "{answers:?}");
    assert!(later.received().is_empty());
}

/// RFC 2782: the lowest number that can be reached. Neither the TTL nor `resolve_every` ends while the test runs.
#[tokio::test]
async fn srv_records_of_a_later_priority_are_used_while_no_target_of_an_earlier_one_has_an_address() {
    let names = NameServer::start().await;
    let (_first, first) = server("127.0.0.2", 0).await;
    let (_second, second) = server("127.0.0.3", 0).await;
    let (third, last) = server("127.0.0.4", 0).await;
    names.set("second.app", &["127.0.0.3"]);
    names.set("third.app", &["127.0.0.4"]);
    names.set_services(
        "_http._tcp.app",
        &[(9, 1, last, "third.app"), (1, 1, first, "first.app"), (2, 1, second, "second.app"), (1, 1, first, "no.app")],
    );
    let edge = Edge::start(&by_name(&names, "srv:_http._tcp.app", "resolve_every = \"10m\"")).await;
    for _ in 0..4 {
        assert_eq!(answer(&edge).await, "127.0.0.3");
    }
    assert!(third.received().is_empty());
    names.set("first.app", &["127.0.0.2"]);
    answered(&edge, "127.0.0.2").await;
    for _ in 0..4 {
        assert_eq!(answer(&edge).await, "127.0.0.2");
    }
}

#[tokio::test]
async fn what_is_known_of_a_name_outlives_a_reload() {
    let names = NameServer::start().await;
    let (_app, port) = server("127.0.0.2", 0).await;
    names.set("app", &["127.0.0.2"]);
    let config = by_name(&names, &format!("app:{port}"), "");
    let edge = Edge::start(&config).await;
    assert_eq!(answer(&edge).await, "127.0.0.2");
    names.set("app", &[]);
    edge.reload(&config.replace("body = \"here\"", "body = \"there\"")).await.expect("a good configuration");
    assert_eq!(edge.http().get("/here").send().await.text(), "there");
    assert_eq!(answer(&edge).await, "127.0.0.2");
}

/// Nobody waits for `connect_timeout` in these: without a race they would not end.
const PATIENT: &str = "connect_timeout = \"1h\"\nresolve_every = \"10m\"";

async fn black_hole(ip: &str, port: u16) -> BlackHole {
    BlackHole::at(SocketAddr::new(ip.parse().expect("an address"), port)).await
}

/// Waits until so many connects were raced, and so many given up for it.
async fn raced(edge: &Edge, races: u64, outrun: u64) {
    edge.counted("portcullis_upstream_connect_races_total{upstream=\"app\"}", races).await;
    edge.counted("portcullis_upstream_connects_outrun_total{upstream=\"app\"}", outrun).await;
}

/// RFC 8305: the first address hears nothing, the second one answers.
#[tokio::test]
async fn an_address_that_does_not_answer_is_raced_by_the_next_one() {
    let names = NameServer::start().await;
    let (_good, port) = server("127.0.0.3", 0).await;
    let _hole = black_hole("127.0.0.2", port).await;
    names.set("app", &["127.0.0.2", "127.0.0.3"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), PATIENT)).await;
    assert_eq!(answer(&edge).await, "127.0.0.3");
    raced(&edge, 1, 1).await;
    // It is known now, and the next one does not even try.
    assert_eq!(answer(&edge).await, "127.0.0.3");
    raced(&edge, 1, 1).await;
}

/// RFC 8305 section 4: what is wrong with one family is hardly ever wrong with the other.
#[tokio::test]
async fn the_other_family_comes_next() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let names = NameServer::start().await;
    let (_good, port) = server("[::1]", 0).await;
    let _holes = [black_hole("127.0.0.2", port).await, black_hole("127.0.0.3", port).await];
    names.set("app", &["127.0.0.2", "127.0.0.3", "::1"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), PATIENT)).await;
    assert_eq!(answer(&edge).await, "[::1]");
    raced(&edge, 1, 1).await;
}

/// The old address answers nothing, not even a refusal: a container that is gone with its network.
#[tokio::test]
async fn a_container_that_comes_back_elsewhere_is_found_while_its_old_address_is_silent() {
    let names = NameServer::start().await;
    let (old, port) = server("127.0.0.2", 0).await;
    names.set("app", &["127.0.0.2"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), PATIENT)).await;
    assert_eq!(answer(&edge).await, "127.0.0.2");
    drop(old);
    let _hole = black_hole("127.0.0.2", port).await;
    let (_new, _) = server("127.0.0.3", port).await;
    names.set("app", &["127.0.0.3"]);
    assert_eq!(answer(&edge).await, "127.0.0.3");
    raced(&edge, 1, 1).await;
}

/// A name server knows a container as soon as it starts; its application listens later.
#[tokio::test]
async fn an_old_address_that_still_stands_is_used_until_the_new_one_listens() {
    let names = NameServer::start().await;
    let (old, port) = server("127.0.0.2", 0).await;
    names.set("app", &["127.0.0.2"]);
    let edge = Edge::start(&by_name(&names, &format!("app:{port}"), "resolve_every = \"250ms\"")).await;
    assert_eq!(answer(&edge).await, "127.0.0.2");
    names.set("app", &["127.0.0.3"]);
    until("the new address", async || {
        let page = edge.admin().get("/upstreams").send().await.expect_status(200);
        page.text().contains("127.0.0.3") && !page.text().contains("127.0.0.2")
    })
    .await;
    assert_eq!(answer(&edge).await, "127.0.0.2", "nobody is at the new one yet");
    let (_new, _) = server("127.0.0.3", port).await;
    answered(&edge, "127.0.0.3").await;
    drop(old);
    assert_eq!(answer(&edge).await, "127.0.0.3");
}
