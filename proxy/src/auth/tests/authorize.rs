//! A route's rule over whole requests.

use super::support::{NOW, Signer, ask, at, bearer, claims, route, rule_with};
use crate::auth::{AssertionSigner, RequestFacts, TokenCache};
use crate::config::{AuthMode, ClaimRule, ClaimTest, ErrorShape, RouteAuth, TokenSource};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use serve::contract::identity::Assertion;

fn needs_scope(word: &str) -> ClaimRule {
    ClaimRule { path: "/scope".into(), test: ClaimTest::ContainsWord(word.into()) }
}

#[tokio::test]
async fn who_gets_through() {
    let signer = Signer::new("k1");
    let good = bearer(&signer.sign(&claims(json!({}))));
    let broken = bearer(&Signer::new("k1").sign(&claims(json!({}))));
    let basic =
        HeaderMap::from_iter([("authorization".parse().expect("a name"), HeaderValue::from_static("Basic eA=="))]);
    let malformed =
        HeaderMap::from_iter([("authorization".parse().expect("a name"), HeaderValue::from_static("Bearer"))]);
    let mut twice = good.clone();
    twice.append("authorization", good["authorization"].clone());
    let none = HeaderMap::new();
    for (mode, headers, expected) in [
        (AuthMode::Required, &good, Ok(true)),
        (AuthMode::Required, &none, Err((401, "token_missing", "token_missing"))),
        (AuthMode::Required, &basic, Err((401, "token_missing", "token_missing"))),
        (AuthMode::Required, &malformed, Err((401, "token_invalid", "credentials_malformed"))),
        (AuthMode::Required, &broken, Err((401, "token_invalid", "signature_wrong"))),
        (AuthMode::Required, &twice, Err((400, "invalid_request", "credentials_several"))),
        (AuthMode::Optional, &good, Ok(true)),
        (AuthMode::Optional, &none, Ok(false)),
        (AuthMode::Optional, &basic, Ok(false)),
        (AuthMode::Optional, &broken, Err((401, "token_invalid", "signature_wrong"))),
        (AuthMode::Optional, &twice, Err((400, "invalid_request", "credentials_several"))),
        (AuthMode::Public, &good, Ok(false)),
        (AuthMode::Public, &broken, Ok(false)),
        (AuthMode::Public, &twice, Ok(false)),
    ] {
        let rule = rule_with(&signer, |_| {}, &RouteAuth { mode, ..route() });
        let found = rule.authorize(headers, None, &TokenCache::new(0), at(NOW)).await;
        let found = found
            .map(|permit| permit.identity().is_some())
            .map_err(|refusal| (refusal.status().as_u16(), refusal.code(), refusal.log_reason()));
        assert_eq!(found, expected, "{mode:?} {headers:?}");
    }
}

#[tokio::test]
async fn a_good_token_that_lacks_something_is_told_what() {
    let signer = Signer::new("k1");
    let auth = RouteAuth { claims: vec![needs_scope("notes:read"), needs_scope("notes:share")], ..route() };
    let rule = rule_with(&signer, |_| {}, &auth);
    let refusal = ask(&rule, &signer.sign(&claims(json!({})))).await.expect_err("a word is missing");
    assert_eq!((refusal.status().as_u16(), refusal.code()), (403, "insufficient_scope"));
    let challenge = refusal.challenge().expect("a challenge");
    assert!(challenge.to_str().expect("ASCII").ends_with(r#", scope="notes:read notes:share""#), "{challenge:?}");
    assert!(ask(&rule, &signer.sign(&claims(json!({"scope": "notes:share notes:read"})))).await.is_ok());

    let role = ClaimRule { path: "/roles".into(), test: ClaimTest::AnyOf(vec![json!("admin")]) };
    let rule = rule_with(&signer, |_| {}, &RouteAuth { claims: vec![role], ..route() });
    let refusal = ask(&rule, &signer.sign(&claims(json!({})))).await.expect_err("a role is missing");
    assert!(!refusal.challenge().expect("a challenge").to_str().expect("ASCII").contains("scope=\""));
}

#[tokio::test]
async fn a_route_narrows_the_audience() {
    let signer = Signer::new("k1");
    let rule = rule_with(&signer, |_| {}, &RouteAuth { audiences: vec!["mail".into()], ..route() });
    assert!(ask(&rule, &signer.sign(&claims(json!({"aud": ["notes", "mail"]})))).await.is_ok());
    let refusal = ask(&rule, &signer.sign(&claims(json!({})))).await.expect_err("for notes only");
    assert_eq!((refusal.status().as_u16(), refusal.code()), (401, "token_audience"));
}

#[tokio::test]
async fn a_cached_token_still_expires_and_still_obeys_each_route() {
    let signer = Signer::new("k1");
    let directory = tempfile::tempdir().expect("a directory");
    let path = super::support::file(&directory, "jwks.json", &super::support::set_of(&[&signer]));
    let issuer = super::support::issuer(crate::config::Keys::JwksFile { path });
    let issuers = crate::auth::Issuers::build(&[issuer], None).expect("issuers");
    let open = crate::auth::RouteRule::new(&route(), &issuers).expect("a rule");
    let admin = RouteAuth { claims: vec![needs_scope("admin")], ..route() };
    let admin = crate::auth::RouteRule::new(&admin, &issuers).expect("a rule");

    let cache = TokenCache::new(100_000);
    let headers = bearer(&signer.sign(&claims(json!({"exp": NOW + 10}))));
    let first = open.authorize(&headers, None, &cache, at(NOW)).await.expect("a permit");
    let second = open.authorize(&headers, None, &cache, at(NOW)).await.expect("a permit");
    assert!(std::sync::Arc::ptr_eq(first.identity().expect("an identity"), second.identity().expect("an identity")));
    assert_eq!(
        (cache.len(), admin.authorize(&headers, None, &cache, at(NOW)).await.expect_err("403").status().as_u16()),
        (1, 403)
    );
    let late = open.authorize(&headers, None, &cache, at(NOW + 40)).await.expect_err("expired");
    assert_eq!((late.code(), cache.len(), cache.bytes()), ("token_expired", 0, 0));
    // Verified anew it reads the same.
    assert_eq!(
        open.authorize(&headers, None, &cache, at(NOW + 40)).await.expect_err("expired").code(),
        "token_expired"
    );
    assert!(cache.is_empty(), "only good tokens are kept");
}

#[tokio::test]
async fn the_cache_is_bounded_in_bytes_and_keeps_what_is_used() {
    let signer = Signer::new("k1");
    let rule = rule_with(&signer, |_| {}, &route());
    let cache = TokenCache::new(20_000);
    let first = bearer(&signer.sign(&claims(json!({"jti": "first"}))));
    for number in 0..100 {
        rule.authorize(&first, None, &cache, at(NOW)).await.expect("a permit");
        let other = bearer(&signer.sign(&claims(json!({"jti": number.to_string()}))));
        rule.authorize(&other, None, &cache, at(NOW)).await.expect("a permit");
        assert!(cache.bytes() <= 20_000);
    }
    assert!((5..100).contains(&cache.len()), "{cache:?}");
    let kept = cache.len();
    rule.authorize(&first, None, &cache, at(NOW)).await.expect("a permit");
    assert_eq!(cache.len(), kept, "the token in use was never pushed out");
}

#[tokio::test]
async fn simplejwt_clients_hear_what_they_know() {
    let signer = Signer::new("k1");
    let issuer_is = |issuer: &mut crate::config::Issuer| {
        issuer.errors = ErrorShape::SimpleJwt;
        issuer.must.insert("token_type".into(), json!("access"));
    };
    let rule = rule_with(&signer, issuer_is, &route());
    for (changes, message) in [
        (json!({"token_type": "access", "exp": NOW - 100}), "Token is expired"),
        (json!({"token_type": "refresh"}), "Token has wrong type"),
        (json!({"token_type": "access", "aud": "x"}), "Token is invalid"),
    ] {
        let refusal = ask(&rule, &signer.sign(&claims(changes))).await.expect_err("a refusal");
        assert_eq!((refusal.status().as_u16(), refusal.shape()), (401, ErrorShape::SimpleJwt));
        let body = refusal.simplejwt_body();
        assert_eq!((&body["code"], &body["messages"][0]["message"]), (&json!("token_not_valid"), &json!(message)));
    }
}

#[tokio::test]
async fn tokens_from_cookies_and_queries_and_their_removal() {
    let signer = Signer::new("k1");
    let token = signer.sign(&claims(json!({})));
    let sources =
        vec![TokenSource::Header, TokenSource::Cookie("__Host-access".into()), TokenSource::Query("t".into())];
    let rule = rule_with(&signer, |_| {}, &RouteAuth { token_from: sources.clone(), ..route() });
    assert_eq!(rule.query_token_param(), Some("t"));

    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::try_from(format!("a=1; __Host-access={token}")).expect("a value"));
    let cache = TokenCache::new(100_000);
    assert!(rule.authorize(&headers, None, &cache, at(NOW)).await.is_ok());
    let query = format!("x=1&t={token}");
    assert!(rule.authorize(&HeaderMap::new(), Some(&query), &cache, at(NOW)).await.is_ok());
    let both = rule.authorize(&headers, Some(&query), &cache, at(NOW)).await.expect_err("two credentials");
    assert_eq!(both.status().as_u16(), 400);

    headers.insert("authorization", HeaderValue::from_static("Basic eA=="));
    let forwarding = rule_with(&signer, |_| {}, &RouteAuth { token_from: sources, forward_token: true, ..route() });
    let before = headers.clone();
    forwarding.cleanse(&mut headers);
    assert_eq!(headers, before);
    rule.cleanse(&mut headers);
    assert_eq!(headers, HeaderMap::from_iter([("cookie".parse().expect("a name"), HeaderValue::from_static("a=1"))]));
}

#[tokio::test]
async fn a_permit_writes_who_it_is() {
    let signer = Signer::new("k1");
    let rule = rule_with(&signer, |_| {}, &route());
    let permit = ask(&rule, &signer.sign(&claims(json!({})))).await.expect("a permit");
    let mut headers = HeaderMap::new();
    permit.write_fields(&mut headers);
    for (name, value) in [
        ("x-auth-subject", "ann"),
        ("x-auth-issuer", "https://id.example"),
        ("x-auth-scope", "notes:read notes:write"),
        ("x-auth-session", "s1"),
        ("x-auth-token-id", "t1"),
    ] {
        assert_eq!(headers[name], value);
    }
}

#[tokio::test]
async fn an_assertion_says_who_it_is() {
    let signer = Signer::new("k1");
    let rule = rule_with(&signer, |_| {}, &route());
    let permit = ask(&rule, &signer.sign(&claims(json!({"name": "Ann \"\u{e9}"})))).await.expect("a permit");
    let request = RequestFacts { nonce: 1, request_id: "0123456789", method: &http::Method::GET, path: "/api/notes" };
    let value = AssertionSigner::new("app", &[7; 32]).mint(request, &permit, at(NOW));
    let payload = value.to_str().expect("ASCII").split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let assertion: Assertion = serde_json::from_slice(&payload).expect("an assertion");
    assert_eq!(assertion.identity.as_ref(), permit.identity().map(|identity| &**identity));
    assert_eq!((assertion.aud.as_str(), assertion.iat, assertion.exp), ("app", NOW, NOW + 30));
}
