//! The link: which tokens are refused by what an application tells, and what is done while nothing is known.

use portcullis_tests::linked::{KeysFrom, Linked, Stream, asked, revoked};
use portcullis_tests::origin::Origin;
use portcullis_tests::tokens::{SigningKey, Token, jwk_set, seconds_since_1970};
use serde_json::{Value, json};

#[tokio::test]
async fn nothing_is_taken_where_revocations_are_required_and_not_known() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let token = Token::good(&linked.key, "ann").sign(&linked.key);
    let asked = linked.asked().await;
    let refused = linked.edge.http().get("/require/x").bearer(&token).send().await.expect_status(503);
    assert_eq!((refused.edge_code().as_str(), refused.header("retry-after")), ("revocations_unavailable", Some("2")));
    let not_ready = linked.edge.admin().get("/readyz").send().await.expect_status(503);
    assert!(not_ready.text().contains("\"app\" has not told its revocations"), "{}", not_ready.text());
    assert_eq!(linked.verdict("/best-effort/x", &token).await, "200");
    assert_eq!(linked.verdict("/off/x", &token).await, "200");
    assert_eq!(linked.edge.metrics().await.get("portcullis_link_stale_uses_total{upstream=\"app\"}"), 1);

    let mut stream = Stream::answer(asked, &[7; 32]).await;
    stream.tell("hello", None, json!({ "build": "x" })).await;
    stream.tell("ready", None, json!({})).await;
    stream.tell("revocations", None, json!({ "entries": [revoked("jti", "a")], "more": true })).await;
    let first = portcullis_tests::deadline::within("the first part", async {
        while linked.edge.metrics().await.get("portcullis_link_revocations{upstream=\"app\"}") != 1 {}
    });
    first.await;
    assert_eq!(linked.verdict("/require/x", &token).await, "revocations_unavailable", "half a snapshot");
    stream.tell("revocations", Some("1"), json!({ "entries": [] })).await;
    linked.until("/require/x", &token, "200").await;
    linked.edge.ready().await;
}

#[tokio::test]
async fn each_kind_of_revocation_refuses_tokens_that_were_taken_before() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    stream.snapshot("0", &[]).await;
    let now = seconds_since_1970();
    let of = |jti: &str, sid: &str| {
        let token = Token::good(&linked.key, "ann").claim("jti", json!(jti)).claim("sid", json!(sid));
        token.claim("iat", json!(now - 10)).sign(&linked.key)
    };
    let younger = Token::good(&linked.key, "ann").claim("iat", json!(now)).sign(&linked.key);
    let (one, two, three) = (of("one", "a"), of("two", "b"), of("three", "c"));
    for token in [&one, &two, &three, &younger] {
        linked.until("/require/x", token, "200").await;
    }
    let revoke = |kind, value, before: Option<u64>| {
        let mut data = revoked(kind, value);
        data["at_ms"] = json!(now * 1000);
        if let Some(before) = before {
            data["before"] = json!(before);
        }
        data
    };
    stream.tell("revoke", None, revoke("jti", "one", None)).await;
    linked.until("/require/x", &one, "token_revoked").await;
    assert_eq!(linked.verdict("/best-effort/x", &one).await, "token_revoked");
    assert_eq!(linked.verdict("/off/x", &one).await, "200");
    let refused = linked.edge.http().get("/require/x").bearer(&one).send().await.expect_status(401);
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_token\"") && challenge.contains("revoked"), "{challenge}");
    assert_eq!(linked.verdict("/require/x", &two).await, "200");
    stream.tell("revoke", None, revoke("session", "b", None)).await;
    linked.until("/require/x", &two, "token_revoked").await;
    assert_eq!(linked.verdict("/require/x", &three).await, "200");
    stream.tell("revoke", None, revoke("subject-before", "ann", Some(now))).await;
    linked.until("/require/x", &three, "token_revoked").await;
    assert_eq!(linked.verdict("/require/x", &younger).await, "200");
    stream.tell("revoke", None, revoke("kid", "first", None)).await;
    linked.until("/require/x", &younger, "token_revoked").await;
    let metrics = linked.edge.metrics().await;
    assert_eq!(metrics.get("portcullis_link_revocations{upstream=\"app\"}"), 4);
    assert_eq!(metrics.get("portcullis_link_propagation_milliseconds_count{upstream=\"app\"}"), 4);
}

#[tokio::test]
async fn a_revocation_is_forgotten_at_its_time() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    let token = Token::good(&linked.key, "ann").claim("jti", json!("one")).sign(&linked.key);
    let until = seconds_since_1970() + 2;
    stream.snapshot("0", &[json!({ "kind": "jti", "value": "one", "until": until })]).await;
    linked.until("/require/x", &token, "token_revoked").await;
    linked.until("/require/x", &token, "200").await;
    assert!(seconds_since_1970() >= until);
    linked.edge.counted("portcullis_link_revocations{upstream=\"app\"}", 0).await;
}

#[tokio::test]
async fn keys_come_over_the_link_and_change_without_a_failed_request() {
    let mut linked = Linked::start(KeysFrom::Link).await;
    let (first, second) = (&linked.key, SigningKey::new("second", "EdDSA"));
    let (old, new) = (Token::good(first, "ann").sign(first), Token::good(&second, "ann").sign(&second));
    let sets = [jwk_set(&[first]), jwk_set(&[first, &second]), jwk_set(&[&second])];
    let sets = sets.map(|set| serde_json::from_str::<Value>(&set).expect("a set"));
    assert_eq!(linked.verdict("/best-effort/x", &old).await, "keys_unavailable");
    let mut stream = linked.open().await;
    stream.tell("keys", None, sets[0].clone()).await;
    linked.until("/best-effort/x", &old, "200").await;
    assert_eq!(linked.verdict("/best-effort/x", &new).await, "keys_unavailable", "who has not told all may have more");
    stream.snapshot("0", &[]).await;
    linked.until("/require/x", &old, "200").await;
    assert_eq!(linked.verdict("/require/x", &new).await, "token_invalid");
    stream.tell("keys", None, json!({ "keys": "none" })).await;
    stream.tell("keys", None, sets[1].clone()).await;
    linked.until("/require/x", &new, "200").await;
    assert_eq!(linked.verdict("/require/x", &old).await, "200");
    stream.tell("keys", None, sets[2].clone()).await;
    linked.until("/require/x", &old, "token_invalid").await;
    assert_eq!(linked.verdict("/require/x", &new).await, "200");
    stream.end().await;
    let _ = linked.asked().await;
    assert_eq!(linked.verdict("/require/x", &new).await, "200", "the keys outlive the stream");
}

#[tokio::test]
async fn the_links_path_is_no_clients() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let _link = linked.open().await;
    for path in [
        "/.well-known/portcullis/link",
        "/.well-known/portcullis/",
        "/.well-known//portcullis/link",
        "/.Well-Known/Portcullis/link",
        "/%2ewell-known/portcullis/link",
        "/stripped/.well-known/portcullis/link",
    ] {
        assert_eq!(linked.edge.http().get(path).send().await.edge_code(), "no_route", "{path}");
    }
    assert!(linked.origin.is_quiet(), "nothing of it was forwarded");
}

#[tokio::test]
async fn an_endpoint_that_drains_is_asked_last() {
    let mut other = Origin::start().await;
    let mut linked = Linked::start_with(KeysFrom::File, &[other.endpoint()]).await;
    let mut first = linked.open().await;
    first.snapshot("0", &[]).await;
    let mut second = Stream::answer(asked(&mut other).await, &[7; 32]).await;
    second.snapshot("0", &[]).await;
    let draining = format!("portcullis_link_draining{{upstream=\"app\",endpoint=\"{}\"}}", linked.origin.endpoint());
    first.tell("draining", None, json!({})).await;
    linked.edge.counted(&draining, 1).await;
    for _ in 0..4 {
        let client = linked.edge.http();
        let (answer, ()) =
            tokio::join!(client.get("/x").send(), async { other.exchange().await.reply_text("other").await });
        assert_eq!(answer.text(), "other");
    }
    drop(second);
    drop(other);
    // The last resort: the one that drains still serves.
    let client = linked.edge.http();
    let (answer, ()) =
        tokio::join!(client.get("/x").send(), async { linked.origin.exchange().await.reply_text("last").await });
    assert_eq!(answer.text(), "last");
    first.tell("ready", None, json!({})).await;
    linked.edge.counted(&draining, 0).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_before_the_application_does() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    stream.tell("hello", None, json!({ "idle_timeout_ms": 2500 })).await;
    stream.tell("revocations", None, json!({ "entries": [] })).await;
    linked
        .edge
        .counted(
            "portcullis_link_up{upstream=\"app\",endpoint=\"ENDPOINT\"}"
                .replace("ENDPOINT", &linked.origin.endpoint())
                .as_str(),
            1,
        )
        .await;
    let client = linked.edge.http();
    let (answer, raw) = tokio::join!(client.get("/x").send(), async {
        let mut exchange = linked.origin.exchange().await;
        exchange.send(portcullis_tests::exchange::ok("x")).await;
        exchange.into_raw()
    });
    assert_eq!(answer.status, 200);
    let (mut raw, since) = (raw, std::time::Instant::now());
    let (rest, _) = raw.read_to_end(std::time::Duration::from_secs(10)).await;
    assert!(rest.is_empty());
    // Two seconds, looked at every second; by itself the edge would keep it for thirty.
    assert!(since.elapsed() < std::time::Duration::from_secs(6), "{:?}", since.elapsed());
}

#[tokio::test]
async fn applications_without_a_link_post_to_the_admin_listener() {
    let mut linked = Linked::start(KeysFrom::File).await;
    let mut stream = linked.open().await;
    stream.snapshot("0", &[]).await;
    let token = Token::good(&linked.key, "ann").claim("sid", json!("s")).sign(&linked.key);
    linked.until("/require/x", &token, "200").await;
    let post = async |body: Value| linked.edge.admin().post("/revocations").json(&body).send().await;
    for (body, status) in [
        (json!({ "issuer": "nobody", "revocations": [] }), 404),
        (json!({ "issuer": "test", "revocations": [{ "kind": "all", "value": "x", "until": 1 }] }), 400),
        (json!({ "issuer": "test", "revocations": [revoked("session", "s"), revoked("subject-before", "x")] }), 400),
        (json!({ "issuer": "test", "revocations": [], "more": 1 }), 400),
        (json!("x".repeat(2 << 20)), 413),
    ] {
        let answer = post(body).await.expect_status(status);
        assert_eq!(answer.json()["applied"], 0);
    }
    assert_eq!(linked.verdict("/require/x", &token).await, "200", "all or nothing");
    let answer = post(json!({ "issuer": "test", "revocations": [revoked("session", "s"), revoked("kid", "k")] })).await;
    assert_eq!(answer.expect_status(200).json(), json!({ "applied": 2 }));
    assert_eq!(linked.verdict("/require/x", &token).await, "token_revoked");
    assert_eq!(linked.edge.metrics().await.get("portcullis_posted_revocations{issuer=\"test\"}"), 2);
    let _ = linked.edge.admin().get("/revocations").send().await.expect_status(405);
}
