//! Tokens that are bound to a key, and the proofs that come with them (RFC 9449), over real connections.

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_tests::call::Call;
use portcullis_tests::client::Client;
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::tokens::{SigningKey, Token, base64url, jwk_set, seconds_since_1970, sign_text};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An edge with routes of every kind, the issuer that it believes, and somebody with a key.
struct World {
    edge: Edge,
    origin: Answering,
    issuer: SigningKey,
    client: SigningKey,
}

impl World {
    async fn start(algorithm: &str) -> Self {
        let origin = Origin::start().await.always(ok("ok"));
        let issuer = SigningKey::new("first", "EdDSA");
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("jwks.json"), jwk_set(&[&issuer])).expect("the keys are written");
        let config = format!(
            r#"
            [server]
            threads = 2
            trusted_proxies = ["127.0.0.2"]

            [listener.http]
            address = "127.0.0.1:0"
            h2c = true

            [upstream.app]
            endpoints = ["{}"]

            [issuer.test]
            iss = "https://issuer.test"
            audiences = ["api"]
            algorithms = ["EdDSA"]
            keys = {{ jwks_file = "{{folder}}/jwks.json" }}

            [[route]]
            match = "/nonce/**"
            dpop = "required"
            forward = "app"

            [[route]]
            match = "/required/**"
            dpop = "required"
            dpop_nonce = false
            forward = {{ upstream = "app", strip_prefix = "/required" }}

            [[route]]
            match = "/optional/**"
            dpop = "optional"
            dpop_nonce = false
            forward = "app"

            [[route]]
            match = "/passed/**"
            dpop = "required"
            dpop_nonce = false
            forward_token = true
            forward = "app"

            [[route]]
            match = "/public/**"
            auth = "public"
            forward = "app"

            [[route]]
            match = "/**"
            forward = "app"
            "#,
            origin.endpoint()
        );
        let edge = Edge::start_in(folder, &config).await;
        Self { edge, origin, issuer, client: SigningKey::new("client", algorithm) }
    }

    /// The client's public key without name and use, as a proof brings it.
    fn jwk(&self) -> Value {
        let mut jwk = self.client.jwk();
        for name in ["kid", "alg", "use"] {
            jwk.as_object_mut().expect("an object").remove(name);
        }
        jwk
    }

    /// A token that is bound to the client's key (RFC 7638, RFC 9449 section 6.1).
    fn token(&self) -> String {
        let thumbprint = base64url(digest(&SHA256, self.jwk().to_string().as_bytes()));
        Token::good(&self.issuer, "alice").claim("cnf", json!({ "jkt": thumbprint })).sign(&self.issuer)
    }

    /// A proof for a GET of this path, with changes of its claims.
    fn proof(&self, token: &str, path: &str, changes: Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": self.client.algorithm(), "jwk": self.jwk() });
        let mut claims = json!({
            "jti": "first",
            "htm": "GET",
            "htu": format!("http://{}{path}", self.edge.address("http")),
            "iat": seconds_since_1970(),
            "ath": base64url(digest(&SHA256, token.as_bytes())),
        });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        sign_text(&header.to_string(), &claims.to_string(), &self.client)
    }

    fn http2(&self) -> Client {
        self.edge.http().http2()
    }
}

fn with(call: Call, token: &str, proof: &str) -> Call {
    call.header("authorization", &format!("DPoP {token}")).header("dpop", proof)
}

#[tokio::test]
async fn proofs_by_keys_of_every_kind_open_the_route() {
    for algorithm in ["ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"] {
        let world = World::start(algorithm).await;
        let token = world.token();
        for (number, client) in [world.edge.http(), world.http2()].into_iter().enumerate() {
            let proof = world.proof(&token, "/required/a", json!({ "jti": number.to_string() }));
            let answer = with(client.get("/required/a?b=1"), &token, &proof).send().await;
            assert_eq!(answer.expect_status(200).text(), "ok", "{algorithm}");
        }
        let received = world.origin.last().head;
        assert_eq!((received.target(), received.field("x-auth-subject")), ("/a?b=1", Some("alice")));
        assert!(!received.has("dpop") && !received.has("authorization"), "{}", received.raw);
    }
}

#[tokio::test]
async fn a_stolen_token_is_worth_nothing_anywhere() {
    let world = World::start("ES256").await;
    let token = world.token();
    for path in ["/nonce/a", "/required/a", "/optional/a", "/passed/a", "/plain"] {
        let answer = world.edge.http().get(path).bearer(&token).send().await.expect_status(401);
        assert_eq!(answer.edge_code(), "dpop_binding", "{path}");
    }
    // Nor with a proof by the thief's own key.
    let thief = SigningKey::new("thief", "ES256");
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": thief.jwk() });
    let claims = json!({
        "jti": "1", "htm": "GET", "htu": format!("http://{}/required/a", world.edge.address("http")),
        "iat": seconds_since_1970(), "ath": base64url(digest(&SHA256, token.as_bytes())),
    });
    let proof = sign_text(&header.to_string(), &claims.to_string(), &thief);
    let answer = with(world.edge.http().get("/required/a"), &token, &proof).send().await.expect_status(401);
    assert_eq!(answer.edge_code(), "dpop_binding");
    assert!(world.origin.received().is_empty());
    let free = Token::good(&world.issuer, "alice").sign(&world.issuer);
    for (path, status) in [("/required/a", 401), ("/optional/a", 200), ("/plain", 200)] {
        assert_eq!(world.edge.http().get(path).bearer(&free).send().await.status, status, "{path}");
    }
}

#[tokio::test]
async fn one_proof_passes_once_over_both_workers() {
    let world = World::start("EdDSA").await;
    let token = world.token();
    let proof = world.proof(&token, "/required/a", json!({}));
    // Each connection is the kernel's choice of a worker.
    let calls = (0..32).map(|number| {
        let client = if number % 2 == 0 { world.edge.http() } else { world.http2() };
        tokio::spawn(with(client.get("/required/a"), &token, &proof).send())
    });
    let mut passed = 0;
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.expect("a client");
        if answer.status == 200 {
            passed += 1;
        } else {
            assert_eq!(answer.expect_status(401).edge_code(), "dpop_proof_invalid");
        }
    }
    assert_eq!((passed, world.origin.received().len()), (1, 1));
    let replayed = "portcullis_auth_refusals_total{reason=\"dpop_replayed\"}";
    assert_eq!(world.edge.metrics().await.get(replayed), 31);
}

#[tokio::test]
async fn used_proofs_stay_used_over_a_reload() {
    let world = World::start("EdDSA").await;
    let token = world.token();
    let proof = world.proof(&token, "/required/a", json!({}));
    let call = || with(world.edge.http().get("/required/a"), &token, &proof).send();
    let _ = call().await.expect_status(200);
    let config = format!(
        "[listener.http]\naddress = \"127.0.0.1:0\"\n[upstream.app]\nendpoints = [\"{}\"]\n[issuer.test]\niss = \
         \"https://issuer.test\"\naudiences = [\"api\"]\nalgorithms = [\"EdDSA\"]\nkeys = {{ jwks_file = \
         \"{{folder}}/jwks.json\" }}\n[[route]]\nmatch = \"/**\"\ndpop = \"required\"\ndpop_nonce = false\nforward = \"app\"\n",
        world.origin.endpoint()
    );
    world.edge.reload(&config).await.expect("a good configuration");
    assert_eq!(call().await.expect_status(401).edge_code(), "dpop_proof_invalid");
}

#[tokio::test]
async fn a_client_learns_the_nonce_and_goes_on_with_it() {
    let world = World::start("ES256").await;
    let token = world.token();
    let bare = world.edge.http().get("/nonce/a").send().await.expect_status(401);
    assert!(bare.header("dpop-nonce").is_some(), "the first refusal brings one: {bare:?}");
    let proof = world.proof(&token, "/nonce/a", json!({ "jti": "1" }));
    let asked = with(world.edge.http().get("/nonce/a"), &token, &proof).send().await.expect_status(401);
    assert_eq!(asked.edge_code(), "dpop_nonce_needed");
    let challenge = asked.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"use_dpop_nonce\""), "{challenge}");
    let nonce = asked.header("dpop-nonce").expect("a nonce");
    for (jti, client) in [("2", world.edge.http()), ("3", world.http2()), ("4", world.edge.http())] {
        let proof = world.proof(&token, "/nonce/a", json!({ "jti": jti, "nonce": nonce }));
        let _ = with(client.get("/nonce/a"), &token, &proof).send().await.expect_status(200);
    }
    let forged = format!("{}A", &nonce[..nonce.len() - 1]);
    let forged = if forged == nonce { format!("{}Q", &nonce[..nonce.len() - 1]) } else { forged };
    let proof = world.proof(&token, "/nonce/a", json!({ "jti": "5", "nonce": forged }));
    let refused = with(world.edge.http().get("/nonce/a"), &token, &proof).send().await.expect_status(401);
    assert_eq!(refused.edge_code(), "dpop_nonce_needed");
}

#[tokio::test]
async fn the_address_is_the_one_that_the_client_asked_for() {
    let world = World::start("ES256").await;
    let token = world.token();
    let at = |htu: &str, jti: &str| world.proof(&token, "", json!({ "htu": htu, "jti": jti }));
    let port = world.edge.address("http").port();
    let site = world.edge.http().host("api.example");
    for (what, htu, status) in [
        ("the site", "http://api.example/required/a", 200),
        ("in other letters", "HTTP://API.example:80/required/%61", 200),
        ("another scheme", "https://api.example/required/a", 401),
        ("another site", "http://other.example/required/a", 401),
        ("what the application sees", "http://api.example/a", 401),
        ("the listener", &format!("http://127.0.0.1:{port}/required/a"), 401),
    ] {
        let answer = with(site.get("/required/a"), &token, &at(htu, what)).send().await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
    // Nobody but a trusted hop says that the client spoke TLS.
    let claimed = with(site.get("/required/a"), &token, &at("https://api.example/required/a", "claimed"))
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-forwarded-proto", "https");
    let _ = claimed.send().await.expect_status(401);
    let mut hop = portcullis_tests::raw::Raw::connect_from([127, 0, 0, 2].into(), world.edge.address("http")).await;
    let proof = at("https://api.example/required/a", "told");
    hop.send(format!(
        "GET /required/a HTTP/1.1\r\nHost: api.example\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
         Authorization: DPoP {token}\r\nDPoP: {proof}\r\n\r\n"
    ))
    .await;
    assert_eq!(hop.read_head().await.status(), 200);
}

#[tokio::test]
async fn clocks_may_be_off_by_so_much() {
    let world = World::start("ES256").await;
    let token = world.token();
    let now = seconds_since_1970();
    for (iat, status) in [(now - 45, 200), (now + 20, 200), (now - 120, 401), (now + 120, 401)] {
        let proof = world.proof(&token, "/required/a", json!({ "iat": iat, "jti": iat.to_string() }));
        let answer = with(world.edge.http().get("/required/a"), &token, &proof).send().await;
        assert_eq!(answer.status, status, "{}", i128::from(iat) - i128::from(now));
    }
}

#[tokio::test]
async fn where_the_application_checks_too_it_gets_token_and_proof() {
    let world = World::start("ES256").await;
    let token = world.token();
    let proof = world.proof(&token, "/passed/a", json!({}));
    let _ = with(world.edge.http().get("/passed/a"), &token, &proof).send().await.expect_status(200);
    let received = world.origin.last().head;
    assert_eq!(received.field("dpop"), Some(proof.as_str()));
    assert_eq!(received.field("authorization"), Some(format!("DPoP {token}").as_str()));
    // A token endpoint behind a public route checks the proofs of its own requests (section 5).
    let _ = world.edge.http().get("/public/token").header("dpop", "a.b.c").send().await.expect_status(200);
    assert_eq!(world.origin.last().head.field("dpop"), Some("a.b.c"));
}
