//! Tokens at the edge: who is let through, who is not, and what each is told.

use portcullis_tests::guarded::Guarded;
use portcullis_tests::raw::talk;
use portcullis_tests::tokens::{ALGORITHMS, AUDIENCE, SigningKey, Token, base64url, sign_text};
use serde_json::{Value, json};

#[tokio::test]
async fn no_token_is_401_with_a_bare_challenge() {
    let guarded = Guarded::start("EdDSA", "").await;
    let answer = guarded.edge.http().get("/anything").send().await.expect_status(401);
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer realm=\"test\""), "{challenge}");
    assert!(!challenge.contains("error"), "RFC 6750 section 3.1: {challenge}");
    assert_eq!(answer.edge_code(), "token_missing");
    assert!(guarded.origin.received().is_empty());
}

#[tokio::test]
async fn a_good_token_of_every_algorithm_is_200() {
    for algorithm in ALGORITHMS {
        let guarded = Guarded::start(algorithm, "").await;
        let call = guarded.edge.http().get("/anything").bearer(&guarded.token("alice"));
        assert_eq!(call.send().await.status, 200, "{algorithm}");
        assert_eq!(guarded.assertion().identity.expect("an identity").subject, "alice", "{algorithm}");
    }
}

#[tokio::test]
async fn a_missing_role_is_403_and_a_present_one_200() {
    let guarded = Guarded::start("EdDSA", "").await;
    for (roles, status) in [
        (json!(null), 403),
        (json!([]), 403),
        (json!(["user"]), 403),
        (json!("admin"), 200),
        (json!(["x", "admin"]), 200),
    ] {
        let token = Token::good(&guarded.key, "alice").claim("roles", roles.clone()).sign(&guarded.key);
        let answer = guarded.edge.http().get("/admin/users").bearer(&token).send().await;
        assert_eq!(answer.status, status, "{roles}: {answer:?}");
    }
    assert_eq!(guarded.origin.received().len(), 2);
}

#[tokio::test]
async fn a_missing_scope_is_named_in_the_challenge() {
    let guarded = Guarded::start("EdDSA", "").await;
    for (scope, status) in [("notes:readonly", 403), ("x notes:read", 200)] {
        let token = Token::good(&guarded.key, "alice").claim("scope", json!(scope)).sign(&guarded.key);
        let answer = guarded.edge.http().get("/scoped/x").bearer(&token).send().await.expect_status(status);
        if status == 403 {
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.contains("scope=\"notes:read\""), "{challenge}");
        }
    }
}

#[tokio::test]
async fn broken_tokens_are_401_and_reach_nobody() {
    let guarded = Guarded::start("ES256", "").await;
    let key = &guarded.key;
    let good = || Token::good(key, "alice");
    let stranger = SigningKey::new("first", "ES256");
    let public = key.jwk().to_string();
    let confused = SigningKey::hmac("first", "HS256", public.as_bytes());
    let signed = good().sign(key);
    let (unsigned, signature) = signed.rsplit_once('.').expect("a signature");
    let header = |name: &str, value: Value| good().header(name, value).sign(key);
    let claim = |name: &str, value: Value| good().claim(name, value).sign(key);
    let now = portcullis_tests::tokens::seconds_since_1970();
    let tokens = [
        ("signed by a stranger under the same kid", good().sign(&stranger)),
        ("HS256 with the public key as secret", Token::good(&confused, "alice").sign(&confused)),
        ("alg none", format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(json!(good().claims).to_string()))),
        ("alg none with a signature", header("alg", json!("none"))),
        ("alg of another family", header("alg", json!("RS256"))),
        ("alg in lower case", header("alg", json!("es256"))),
        ("no alg", header("alg", json!(null))),
        ("an unknown kid", header("kid", json!("other"))),
        ("a kid that is no text", header("kid", json!(1))),
        ("crit", header("crit", json!(["exp"]))),
        ("an empty crit", header("crit", json!([]))),
        ("b64 false", header("b64", json!(false))),
        ("zip", header("zip", json!("DEF"))),
        ("nested", header("cty", json!("JWT"))),
        ("a foreign typ", header("typ", json!("secevent+jwt"))),
        ("an assertion's typ", header("typ", json!("edge-assertion+jwt"))),
        ("expired", good().shifted(-400).sign(key)),
        ("not yet valid", claim("nbf", json!(now + 120))),
        ("issued in the future", good().shifted(200).sign(key)),
        ("too long a life", claim("exp", json!(now + 2 * 86400))),
        ("exp is text", claim("exp", json!("9999999999"))),
        ("exp is negative", claim("exp", json!(-1))),
        ("exp is huge", claim("exp", json!(1e300))),
        ("no exp", claim("exp", json!(null))),
        ("no iss", claim("iss", json!(null))),
        ("another iss", claim("iss", json!("https://issuer.test/"))),
        ("iss is a list", claim("iss", json!(["https://issuer.test"]))),
        ("no aud", claim("aud", json!(null))),
        ("another aud", claim("aud", json!("other"))),
        ("an empty aud", claim("aud", json!([]))),
        ("no sub", claim("sub", json!(null))),
        ("an empty sub", claim("sub", json!(""))),
        ("claims twice", sign_text(&json!(good().header).to_string(), &twice("sub", &good()), key)),
        ("claims are a list", sign_text(&json!(good().header).to_string(), "[]", key)),
        ("claims are no JSON", sign_text(&json!(good().header).to_string(), "{", key)),
        ("header is no JSON", sign_text("{", &json!(good().claims).to_string(), key)),
        ("no signature", format!("{unsigned}.")),
        ("half a signature", format!("{unsigned}.{}", &signature[..signature.len() / 2])),
        ("a padded signature", format!("{signed}=")),
        ("four parts", format!("{signed}.x")),
        ("two parts", unsigned.to_owned()),
        ("one part", "x".to_owned()),
        ("dots", "..".to_owned()),
        ("standard base64", signed.replace(['-', '_'], "+") + "+"),
        ("a DER signature", format!("{unsigned}.{}", base64url([0x30, 6, 2, 1, 1, 2, 1, 1]))),
        ("a zero signature", format!("{unsigned}.{}", base64url([0; 64]))),
    ];
    for (name, token) in tokens {
        let answer = guarded.edge.http().get("/anything").bearer(&token).send().await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("error=\"invalid_token\""), "{name}: {challenge}");
        let _ = answer.edge_code();
    }
    assert!(guarded.origin.received().is_empty());
    assert_eq!(guarded.edge.http().get("/anything").bearer(&signed).send().await.status, 200, "the good one still is");
}

/// The claims with one member doubled: first the true value, then another.
fn twice(name: &str, token: &Token) -> String {
    let claims = json!(token.claims).to_string();
    format!("{},\"{name}\":\"mallory\"}}", claims.trim_end_matches('}'))
}

#[tokio::test]
async fn an_oversized_token_costs_no_verification() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = Token::good(&guarded.key, &"x".repeat(9000)).sign(&guarded.key);
    let answer = guarded.edge.http().get("/anything").bearer(&token).send().await;
    assert!(matches!(answer.status.as_u16(), 401 | 431), "{answer:?}");
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let guarded = Guarded::start("EdDSA", "leeway = \"60s\"").await;
    // 300 s of life: expired 40 s ago, and issued 40 s ahead.
    for (shift, status) in [(-340, 200), (-380, 401), (40, 200), (120, 401)] {
        let token = Token::good(&guarded.key, "alice").shifted(shift).sign(&guarded.key);
        assert_eq!(guarded.edge.http().get("/x").bearer(&token).send().await.status, status, "{shift}");
    }
}

#[tokio::test]
async fn one_of_several_audiences_is_enough() {
    let guarded = Guarded::start("EdDSA", "").await;
    for audiences in [json!(AUDIENCE), json!(["other", AUDIENCE])] {
        let token = Token::good(&guarded.key, "alice").claim("aud", audiences.clone()).sign(&guarded.key);
        assert_eq!(guarded.edge.http().get("/x").bearer(&token).send().await.status, 200, "{audiences}");
    }
}

#[tokio::test]
async fn optional_takes_nobody_but_no_broken_token() {
    let guarded = Guarded::start("EdDSA", "").await;
    let client = guarded.edge.http();
    let _ = client.get("/optional/x").send().await.expect_status(200);
    assert_eq!(guarded.assertion().identity, None);
    let _ = client.get("/optional/x").bearer("a.b.c").send().await.expect_status(401);
    let _ = client.get("/optional/x").bearer(&guarded.token("alice")).send().await.expect_status(200);
    assert_eq!(guarded.assertion().identity.expect("an identity").subject, "alice");
}

#[tokio::test]
async fn public_does_not_even_look() {
    let guarded = Guarded::start("EdDSA", "").await;
    let _ = guarded.edge.http().get("/public/x").bearer("a.b.c").send().await.expect_status(200);
    assert_eq!(guarded.assertion().identity, None);
}

#[tokio::test]
async fn a_cookie_counts_where_the_route_says_so() {
    let guarded = Guarded::start("EdDSA", "").await;
    let cookie = format!("a=b; __Host-access={}; c=d", guarded.token("alice"));
    let client = guarded.edge.http();
    let _ = client.get("/cookie/x").header("Cookie", &cookie).send().await.expect_status(200);
    let _ = client.get("/elsewhere").header("Cookie", &cookie).send().await.expect_status(401);
}

#[tokio::test]
async fn a_token_in_the_query_is_taken_out_of_it() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = guarded.token("alice");
    let target = format!("/query/x?a=1&access_token={token}&b=%32");
    let _ = guarded.edge.http().get(&target).send().await.expect_status(200);
    assert_eq!(guarded.origin.last().head.target(), "/query/x?a=1&b=%32");
    let _ = guarded.edge.http().get(&format!("/other?access_token={token}")).send().await.expect_status(401);
}

#[tokio::test]
async fn two_credentials_in_one_request_are_400() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = guarded.token("alice");
    let twice = guarded.edge.http().get("/x").bearer(&token).bearer(&token).send().await.expect_status(400);
    let challenge = twice.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("error=\"invalid_request\""), "{challenge}");
    let cookie = format!("__Host-access={token}");
    let both = guarded.edge.http().get("/cookie/x").bearer(&token).header("Cookie", &cookie).send().await;
    let _ = both.expect_status(400);
}

#[tokio::test]
async fn the_scheme_is_compared_without_case_and_must_be_bearer() {
    let guarded = Guarded::start("EdDSA", "").await;
    let token = guarded.token("alice");
    for (value, statuses) in [
        (format!("bEaReR {token}"), [200, 200]),
        (format!("Basic {token}"), [401, 400]),
        (format!("Bearer{token}"), [401, 400]),
        (format!("Bearer {token} x"), [401, 400]),
        ("Bearer".to_owned(), [401, 400]),
        (String::new(), [401, 400]),
    ] {
        let answer = guarded.edge.http().get("/x").header("Authorization", &value).send().await;
        assert!(statuses.contains(&answer.status.as_u16()), "{value:.20}: {answer:?}");
    }
}

#[tokio::test]
async fn refusals_in_the_shape_of_simplejwt() {
    let guarded = Guarded::start("EdDSA", "errors = \"simplejwt\"").await;
    let client = guarded.edge.http();
    let missing = client.get("/x").send().await.expect_status(401).json();
    assert_eq!(missing, json!({ "detail": "Authentication credentials were not provided." }));
    let expired = Token::good(&guarded.key, "alice").shifted(-4000).sign(&guarded.key);
    let answer = client.get("/x").bearer(&expired).send().await.expect_status(401).json();
    assert_eq!(answer["code"], "token_not_valid");
    assert_eq!(answer["detail"], "Given token not valid for any token type");
    assert_eq!(answer["messages"][0]["token_class"], "AccessToken");
}

#[tokio::test]
async fn claims_that_an_issuer_must_set() {
    let guarded = Guarded::start("EdDSA", "must = { token_type = \"access\" }").await;
    for (kind, status) in [(json!("access"), 200), (json!("refresh"), 401), (json!(null), 401)] {
        let token = Token::good(&guarded.key, "alice").claim("token_type", kind.clone()).sign(&guarded.key);
        assert_eq!(guarded.edge.http().get("/x").bearer(&token).send().await.status, status, "{kind}");
    }
}

/// Encodings that two servers read differently must not lead around a closed route.
#[tokio::test]
async fn no_spelling_of_a_closed_path_is_open() {
    let guarded = Guarded::start("EdDSA", "").await;
    for target in [
        "/public/../admin/users",
        "/public/%2e%2e/admin/users",
        "/public/..%2fadmin/users",
        "//admin/users",
        "/./admin/users",
        "/%61dmin/users",
        "/public/..;/admin/users",
        "/public/..%5cadmin/users",
        "/public%2f..%2fadmin",
        "/public/%252e%252e/admin",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = talk(guarded.edge.address("http"), request).await;
        let status = answer.get(9..12).unwrap_or_default();
        // A double encoding and a `..;` are ordinary names below /public for every reader that decodes once.
        let harmless = matches!(target, "/public/..;/admin/users" | "/public/%252e%252e/admin");
        assert!(matches!(status, "400" | "401" | "404") || harmless, "{target}: {answer}");
    }
}
