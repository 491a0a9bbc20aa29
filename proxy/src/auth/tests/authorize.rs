//! A route's rule over whole requests.

use super::support::{NOW, Signer, ask, at, bearer, claims, presented, route, rule_with};
use crate::auth::{AssertionSigner, BadTokens, CACHE_BYTES_MAX, Presented, RequestFacts, TokenCache};
use crate::config::{AuthMode, ClaimRule, ClaimTest, ErrorShape, RouteAuth, TokenSource, WebOrigin};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use serve::contract::csrf::CsrfKey;
use serve::contract::identity::Assertion;
use std::num::NonZeroU32;
use std::time::Duration;

fn with_query<'r>(headers: &'r HeaderMap, query: &'r str) -> Presented<'r> {
    Presented { query: Some(query), ..presented(headers) }
}

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
        let found = rule.authorize(presented(headers), &TokenCache::new(0), at(NOW)).await;
        let found = found
            .map(|permit| permit.verified().is_some())
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
    let first = open.authorize(presented(&headers), &cache, at(NOW)).await.expect("a permit");
    let second = open.authorize(presented(&headers), &cache, at(NOW)).await.expect("a permit");
    assert!(std::sync::Arc::ptr_eq(first.verified().expect("a caller"), second.verified().expect("a caller")));
    assert_eq!(
        (cache.len(), admin.authorize(presented(&headers), &cache, at(NOW)).await.expect_err("403").status().as_u16()),
        (1, 403)
    );
    let late = open.authorize(presented(&headers), &cache, at(NOW + 40)).await.expect_err("expired");
    assert_eq!((late.code(), cache.len(), cache.bytes()), ("token_expired", 0, 0));
    // Verified anew it reads the same.
    assert_eq!(
        open.authorize(presented(&headers), &cache, at(NOW + 40)).await.expect_err("expired").code(),
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
        rule.authorize(presented(&first), &cache, at(NOW)).await.expect("a permit");
        let other = bearer(&signer.sign(&claims(json!({"jti": number.to_string()}))));
        rule.authorize(presented(&other), &cache, at(NOW)).await.expect("a permit");
        assert!(cache.bytes() <= 20_000);
    }
    assert!((5..100).contains(&cache.len()), "{cache:?}");
    let kept = cache.len();
    rule.authorize(presented(&first), &cache, at(NOW)).await.expect("a permit");
    assert_eq!(cache.len(), kept, "the token in use was never pushed out");
}

#[tokio::test]
async fn ten_thousand_usual_tokens_are_remembered_by_default() {
    let signer = Signer::new("k1");
    let rule = rule_with(&signer, |_| {}, &route());
    let cache = TokenCache::new(CACHE_BYTES_MAX);
    for user in 0..100 {
        let usual = claims(json!({
            "sub": format!("6f9619ff-8b86-d011-b42d-{user:012}"), "jti": format!("0f2a6c1e5d7b4e3f9a8b7c6d{user:08x}"),
            "sid": format!("5d7b4e3f0f2a6c1e9a8b7c6d{user:08x}"), "name": "Ann Example", "email": "ann@mail.example",
        }));
        rule.authorize(presented(&bearer(&signer.sign(&usual))), &cache, at(NOW)).await.expect("a permit");
    }
    let bytes = cache.bytes() / cache.len();

    assert!(bytes * 10_000 < CACHE_BYTES_MAX, "{bytes} bytes each");
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
    assert!(rule.authorize(presented(&headers), &cache, at(NOW)).await.is_ok());
    let query = format!("x=1&t={token}");
    assert!(rule.authorize(with_query(&HeaderMap::new(), &query), &cache, at(NOW)).await.is_ok());
    let both = rule.authorize(with_query(&headers, &query), &cache, at(NOW)).await.expect_err("two credentials");
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
    let request = RequestFacts { nonce: 7, request_id: "0123456789", method: &Method::GET, path: "/api/notes" };
    let value = AssertionSigner::new("app", &[7; 32]).mint(request, &permit, at(NOW));
    let payload = value.to_str().expect("ASCII").split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let assertion: Assertion = serde_json::from_slice(&payload).expect("an assertion");
    let identity = assertion.identity.expect("an identity");
    assert_eq!((&*identity.subject, &*identity.issuer, identity.expires_at), ("ann", "https://id.example", NOW + 290));
    assert_eq!(identity.claims["name"], json!("Ann \"\u{e9}"));
    assert_eq!((assertion.aud.as_str(), assertion.iat, assertion.exp), ("app", NOW, NOW + 30));
}

#[tokio::test]
async fn garbage_spends_a_budget_that_good_tokens_never_touch() {
    let signer = Signer::new("k1");
    let budget = || BadTokens::new(NonZeroU32::MIN.saturating_add(2));
    let cache = TokenCache::new(100_000);
    let token = |changes: serde_json::Value| bearer(&signer.sign(&claims(changes)));
    let forged = |jti: &str| bearer(&Signer::new("k1").sign(&claims(json!({"jti": jti}))));
    let rule = rule_with(&signer, |_| {}, &route()).within(Some(budget()));
    let ask = async |headers: &HeaderMap, second: u64| {
        let found = rule.authorize(presented(headers), &cache, at(NOW + second)).await;
        found.map(drop).map_err(|refusal| (refusal.status().as_u16(), refusal.log_reason(), refusal.retry_after()))
    };
    let known = token(json!({"jti": "known"}));
    for _ in 0..10 {
        assert_eq!(ask(&known, 0).await, Ok(()));
        assert_eq!(ask(&token(json!({"exp": NOW - 60})), 0).await, Err((401, "token_expired", None)), "genuine");
    }
    for jti in ["1", "2", "3"] {
        assert_eq!(ask(&forged(jti), 0).await, Err((401, "signature_wrong", None)));
    }
    let spent = |seconds| Err((429, "bad_tokens_spent", Some(Duration::from_secs(seconds))));
    assert_eq!(ask(&forged("4"), 0).await, spent(21));
    assert_eq!(ask(&token(json!({"jti": "new"})), 0).await, spent(21), "nobody knows before a verification");
    assert_eq!(ask(&known, 0).await, Ok(()), "was verified before, so it costs nothing");

    let fifth = forged("5");
    let elsewhere = Presented { client: Some([192, 0, 2, 2].into()), ..presented(&fifth) };
    assert_eq!(rule.authorize(elsewhere, &cache, at(NOW)).await.expect_err("forged").status().as_u16(), 401);
    assert_eq!(ask(&token(json!({"jti": "new"})), 20).await, Ok(()), "a third comes back in twenty seconds");
}

#[tokio::test]
async fn every_kind_of_garbage_is_charged_before_it_is_taken_apart() {
    let signer = Signer::new("k1");
    for garbage in [
        "x",
        "a.b.c",
        "..",
        &signer.sign_raw(r#"{"alg":"none"}"#, "{}"),
        &signer.sign_raw(r#"{"alg":"EdDSA","kid":"k9"}"#, &claims(json!({})).to_string()),
    ] {
        let budget = BadTokens::new(NonZeroU32::MIN);
        let rule = rule_with(&signer, |_| {}, &route()).within(Some(std::sync::Arc::clone(&budget)));
        let first = ask(&rule, garbage).await.expect_err("garbage");
        assert_eq!((first.status().as_u16(), budget.clients()), (401, 1), "{garbage}");
        assert_eq!(ask(&rule, garbage).await.expect_err("garbage").status().as_u16(), 429, "{garbage}");
    }
}

#[tokio::test]
async fn a_cookie_changes_nothing_without_a_proof_of_where_the_request_comes_from() {
    let signer = Signer::new("k1");
    let auth = RouteAuth {
        token_from: vec![TokenSource::Header, TokenSource::Cookie("__Host-access".into())],
        allowed_origins: vec![WebOrigin::parse("https://app.example").expect("an origin")],
        ..route()
    };
    let shared = AssertionSigner::new("app", &[7; 32]);
    let rule = rule_with(&signer, |_| {}, &auth).with_csrf_of(Some(shared.into()));
    let (token, csrf) = (signer.sign(&claims(json!({}))), CsrfKey::new(&[7; 32]).mint("s1", [1; 16]));
    let foreign = CsrfKey::new(&[7; 32]).mint("s2", [1; 16]);
    let cache = TokenCache::new(100_000);
    let ask = async |method: Method, websocket: bool, csrf: Option<&str>, fields: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        let mut cookie = format!("__Host-access={token}");
        if let Some(csrf) = csrf {
            cookie.push_str(&format!("; __Host-csrf={csrf}"));
            headers.insert("x-csrf-token", HeaderValue::try_from(csrf).expect("a value"));
        }
        headers.insert("cookie", HeaderValue::try_from(cookie).expect("a value"));
        for (name, value) in fields {
            headers.insert(*name, HeaderValue::try_from(*value).expect("a value"));
        }
        let request = Presented { method: &method, websocket, ..presented(&headers) };
        let found = rule.authorize(request, &cache, at(NOW)).await;
        found.map(drop).map_err(|refusal| (refusal.status().as_u16(), refusal.log_reason()))
    };
    let (own, evil) = (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"));
    assert_eq!(ask(Method::GET, false, None, &[evil]).await, Ok(()), "its answer can't be read there");
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let ask = async |csrf, fields: &[_]| ask(method.clone(), false, csrf, fields).await;
        assert_eq!(ask(Some(&csrf), &[own]).await, Ok(()));
        assert_eq!(ask(Some(&csrf), &[("origin", "https://app.example"), evil]).await, Ok(()));
        assert_eq!(ask(Some(&csrf), &[evil]).await, Err((403, "cross_origin")));
        assert_eq!(ask(Some(&csrf), &[]).await, Err((403, "cross_origin")));
        assert_eq!(ask(None, &[own]).await, Err((403, "csrf_token_missing")));
        assert_eq!(ask(Some(&foreign), &[own]).await, Err((403, "csrf_token_wrong")));
    }
    let wrong_field = [own, ("x-csrf-token", foreign.as_str())];
    assert_eq!(ask(Method::POST, false, Some(&csrf), &wrong_field).await, Err((403, "csrf_token_missing")));
    assert_eq!(ask(Method::GET, true, None, &[("origin", "https://notes.example")]).await, Ok(()));
    assert_eq!(ask(Method::GET, true, None, &[("origin", "https://evil.example")]).await, Err((403, "cross_origin")));

    let in_field = bearer(&token);
    let program = Presented { method: &Method::POST, ..presented(&in_field) };
    assert!(rule.authorize(program, &cache, at(NOW)).await.is_ok(), "no browser adds a field by itself");
}
