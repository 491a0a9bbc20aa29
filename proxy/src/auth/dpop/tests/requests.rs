//! Whole requests to routes that ask for proofs, and to those that do not.

use super::support::{Client, NOW};
use crate::auth::tests::support::{self, Signer, at};
use crate::auth::{Permit, Presented, Proofs, Refusal, RouteRule, TokenCache};
use crate::config::{AuthMode, ClaimRule, ClaimTest, DpopMode, RouteAuth, TokenSource};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use std::sync::Arc;

/// A client with a key, the issuer of its token, and routes that share what was used.
struct World {
    signer: Signer,
    client: Client,
    proofs: Arc<Proofs>,
}

impl World {
    fn new() -> Self {
        let (signer, client) = (Signer::new("k1"), Client::new("EdDSA"));
        Self { signer, client, proofs: Proofs::new().expect("random bytes") }
    }

    fn rule(&self, dpop: DpopMode, auth: RouteAuth) -> RouteRule {
        support::rule_with(&self.signer, |_| {}, &RouteAuth { dpop, ..auth }).remembering(&self.proofs)
    }

    /// A token that is bound to the client's key.
    fn bound(&self) -> String {
        self.token(json!({"cnf": {"jkt": self.client.thumbprint()}}))
    }

    fn token(&self, changes: Value) -> String {
        self.signer.sign(&support::claims(changes))
    }
}

fn fields(fields: &[(&'static str, String)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::try_from(value).expect("a value")))
        .collect::<Vec<(http::HeaderName, _)>>()
        .into_iter()
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

fn with_proof(token: &str, proof: &str) -> HeaderMap {
    fields(&[("authorization", format!("DPoP {token}")), ("dpop", proof.to_owned())])
}

async fn ask(rule: &RouteRule, headers: &HeaderMap, now: u64) -> Result<Permit, Refusal> {
    rule.authorize(support::presented(headers), &TokenCache::new(0), at(now)).await
}

fn shown(outcome: Result<Permit, Refusal>) -> Result<bool, (u16, &'static str, &'static str)> {
    outcome
        .map(|permit| permit.verified().is_some())
        .map_err(|refusal| (refusal.status().as_u16(), refusal.code(), refusal.log_reason()))
}

#[tokio::test]
async fn who_gets_through_where() {
    let world = World::new();
    let (bound, free) = (world.bound(), world.token(json!({})));
    let other = world.token(json!({"cnf": {"jkt": Client::new("EdDSA").thumbprint()}}));
    let certificate = world.token(json!({"cnf": {"x5t#S256": "x"}}));
    let odd = [json!({"cnf": 1}), json!({"cnf": {"jkt": 1}})].map(|changes| world.token(changes));
    let proof = |token: &str| world.client.proof(token, json!({"jti": format!("{:?}", std::time::Instant::now())}));
    let bearer = |token: &str| support::bearer(token);
    let proved = |token: &str| with_proof(token, &proof(token));
    let mut two_proofs = proved(&bound);
    two_proofs.append("dpop", HeaderValue::try_from(proof(&bound)).expect("a value"));
    let unproved = fields(&[("authorization", format!("dpop {bound}"))]);
    let without_token = fields(&[("dpop", proof(&bound))]);
    use DpopMode::{Off, Optional, Required};
    let bare = Err((401, "dpop_binding", "dpop_bound_without_proof"));
    let unbound = Err((401, "dpop_binding", "dpop_token_unbound"));
    let missing = Err((401, "token_missing", "token_missing"));
    let malformed = Err((401, "dpop_binding", "dpop_confirmation_malformed"));
    for (what, headers, expected) in [
        ("a proof", proved(&bound), [(Required, Ok(true)), (Optional, Ok(true)), (Off, missing)]),
        ("bound, as bearer", bearer(&bound), [(Required, bare), (Optional, bare), (Off, bare)]),
        ("free, as bearer", bearer(&free), [(Required, unbound), (Optional, Ok(true)), (Off, Ok(true))]),
        ("free, with a proof", proved(&free), [(Required, unbound), (Optional, unbound), (Off, missing)]),
        ("bound to a certificate", bearer(&certificate), [(Required, unbound), (Optional, Ok(true)), (Off, Ok(true))]),
        ("no proof", unproved, {
            let none = Err((401, "dpop_proof_invalid", "dpop_proof_missing"));
            [(Required, none), (Optional, none), (Off, missing)]
        }),
        ("two proofs", two_proofs, {
            let several = Err((401, "dpop_proof_invalid", "dpop_proof_several"));
            [(Required, several), (Optional, several), (Off, missing)]
        }),
        ("another key", proved(&other), {
            let mismatch = Err((401, "dpop_binding", "dpop_key_mismatch"));
            [(Required, mismatch), (Optional, mismatch), (Off, missing)]
        }),
        ("only a proof", without_token, [(Required, missing), (Optional, missing), (Off, missing)]),
        ("cnf is a number", bearer(&odd[0]), [(Required, malformed), (Optional, malformed), (Off, malformed)]),
        ("jkt is a number", bearer(&odd[1]), [(Required, malformed), (Optional, malformed), (Off, malformed)]),
    ] {
        for (mode, expected) in expected {
            let rule = world.rule(mode, support::route());
            // Another proof for each, since one is used once.
            let headers = match what {
                "a proof" => proved(&bound),
                _ => headers.clone(),
            };
            assert_eq!(shown(ask(&rule, &headers, NOW).await), expected, "{what}, {mode:?}");
        }
    }
    let optional = world.rule(Required, RouteAuth { mode: AuthMode::Optional, ..support::route() });
    assert_eq!(shown(ask(&optional, &HeaderMap::new(), NOW).await), Ok(false), "nobody in particular");
    let public = world.rule(Off, RouteAuth { mode: AuthMode::Public, ..support::route() });
    assert_eq!(shown(ask(&public, &bearer(&bound), NOW).await), Ok(false), "tokens are not looked at");
}

#[tokio::test]
async fn a_bound_token_in_a_cookie_needs_a_proof_too() {
    let world = World::new();
    let token_from = vec![TokenSource::Header, TokenSource::Cookie("t".into())];
    let rule = world.rule(DpopMode::Optional, RouteAuth { token_from, ..support::route() });
    let bound = world.bound();
    let cookie =
        |token: &str| fields(&[("cookie", format!("t={token}")), ("dpop", world.client.proof(token, json!({})))]);
    let refused = shown(ask(&rule, &cookie(&bound), NOW).await);
    assert_eq!(refused, Err((401, "dpop_binding", "dpop_bound_without_proof")), "only `Authorization` has a scheme");
    assert_eq!(shown(ask(&rule, &cookie(&world.token(json!({}))), NOW).await), Ok(true));
}

#[tokio::test]
async fn a_proof_is_about_the_request_as_the_client_made_it() {
    let world = World::new();
    let token = world.bound();
    let rule = world.rule(DpopMode::Required, support::route());
    let proof = world.client.proof(&token, json!({}));
    let headers = with_proof(&token, &proof);
    let authority = HeaderValue::from_static("other.example");
    let plain = HeaderValue::from_static("NOTES.example:443");
    let good = support::presented(&headers);
    for (request, expected) in [
        (Presented { method: &http::Method::POST, ..good }, Err("dpop_htm")),
        (Presented { path: "/others", ..good }, Err("dpop_htu")),
        (Presented { https: false, ..good }, Err("dpop_htu")),
        (Presented { authority: &authority, ..good }, Err("dpop_htu")),
        // What was refused is not used up.
        (Presented { authority: &plain, query: Some("a=1"), ..good }, Ok(())),
        (good, Err("dpop_replayed")),
    ] {
        let outcome = rule.authorize(request, &TokenCache::new(0), at(NOW)).await;
        assert_eq!(outcome.map(drop).map_err(|refusal| refusal.log_reason()), expected, "{request:?}");
    }
}

#[tokio::test]
async fn a_proof_is_used_once_whichever_worker_and_route() {
    let world = World::new();
    let token = world.bound();
    let (one, other) =
        (world.rule(DpopMode::Required, support::route()), world.rule(DpopMode::Optional, support::route()));
    let (cache, others) = (TokenCache::new(100_000), TokenCache::new(100_000));
    let headers = with_proof(&token, &world.client.proof(&token, json!({})));
    let request = support::presented(&headers);
    assert!(one.authorize(request, &cache, at(NOW)).await.is_ok());
    for (rule, cache) in [(&one, &cache), (&one, &others), (&other, &others)] {
        let refusal = rule.authorize(request, cache, at(NOW)).await.expect_err("used");
        assert_eq!((refusal.status().as_u16(), refusal.log_reason()), (401, "dpop_replayed"));
    }
    let again = with_proof(&token, &world.client.proof(&token, json!({"jti": "another"})));
    assert!(one.authorize(support::presented(&again), &cache, at(NOW)).await.is_ok(), "the token is good for more");
    // Another process knows nothing of it: there the nonce protects.
    let elsewhere = World { proofs: Proofs::new().expect("random bytes"), ..world };
    assert!(ask(&elsewhere.rule(DpopMode::Required, support::route()), &headers, NOW).await.is_ok());
}

#[tokio::test]
async fn a_nonce_is_asked_for_renewed_and_expires() {
    let world = World::new();
    let token = world.bound();
    let rule = world.rule(DpopMode::Required, RouteAuth { dpop_nonce: true, ..support::route() });
    let start = NOW / 150 * 150;
    let proof = |jti: u32, nonce: Option<&HeaderValue>, now: u64| {
        let nonce = nonce.map(|nonce| nonce.to_str().expect("ASCII"));
        with_proof(&token, &world.client.proof(&token, json!({"jti": jti.to_string(), "nonce": nonce, "iat": now})))
    };
    let refusal = ask(&rule, &proof(1, None, start), start).await.expect_err("no nonce yet");
    assert_eq!((refusal.status().as_u16(), refusal.code()), (401, "dpop_nonce_needed"));
    let challenge = refusal.challenge().expect("a challenge");
    assert!(challenge.to_str().expect("ASCII").contains("error=\"use_dpop_nonce\""), "{challenge:?}");
    let nonce = refusal.dpop_nonce().expect("a nonce").clone();
    let next = |outcome: Result<Permit, Refusal>| outcome.map(|permit| permit.next_nonce().cloned());
    assert_eq!(next(ask(&rule, &proof(1, Some(&nonce), start), start).await), Ok(None), "the newest");
    let later = start + 150;
    let renewed = next(ask(&rule, &proof(2, Some(&nonce), later), later).await).expect("good").expect("a newer one");
    assert_ne!(renewed, nonce);
    assert_eq!(next(ask(&rule, &proof(3, Some(&renewed), later), later).await), Ok(None));
    let late = start + 300;
    assert_eq!(ask(&rule, &proof(4, Some(&nonce), late), late).await.expect_err("old").log_reason(), "dpop_nonce");
    let stranger = World { proofs: Proofs::new().expect("random bytes"), ..world };
    let rule = stranger.rule(DpopMode::Required, RouteAuth { dpop_nonce: true, ..support::route() });
    let foreign = with_proof(
        &token,
        &stranger.client.proof(&token, json!({"nonce": renewed.to_str().expect("ASCII"), "iat": later})),
    );
    assert_eq!(ask(&rule, &foreign, later).await.expect_err("another edge's").log_reason(), "dpop_nonce");
}

#[tokio::test]
async fn challenges_read_as_the_standard_says() {
    let world = World::new();
    let bound = world.bound();
    let algs = "algs=\"ES256 ES384 ES512 Ed25519 EdDSA PS256 PS384 PS512 RS256 RS384 RS512\"";
    let invalid = "error=\"invalid_token\", error_description=\"The token is bound to a key and needs a DPoP proof\"";
    let proof = "error=\"invalid_dpop_proof\", error_description=\"The DPoP proof is missing or not valid\"";
    let garbage = fields(&[("authorization", "DPoP garbage".to_owned())]);
    let token = "error=\"invalid_token\", error_description=\"The token is not valid\"";
    use DpopMode::{Off, Optional, Required};
    for (mode, headers, expected) in [
        (Required, HeaderMap::new(), format!("DPoP realm=\"id\", {algs}")),
        (Optional, HeaderMap::new(), format!("Bearer realm=\"id\", DPoP {algs}")),
        (Off, HeaderMap::new(), "Bearer realm=\"id\"".to_owned()),
        (Required, support::bearer(&bound), format!("DPoP realm=\"id\", {invalid}, {algs}")),
        (Optional, support::bearer(&bound), format!("Bearer realm=\"id\", {invalid}, DPoP {algs}")),
        (Off, support::bearer(&bound), format!("Bearer realm=\"id\", {invalid}")),
        (Required, with_proof(&bound, "x"), format!("DPoP realm=\"id\", {proof}, {algs}")),
        (Optional, with_proof(&bound, "x"), format!("DPoP realm=\"id\", {proof}, {algs}")),
        (Optional, garbage, format!("DPoP realm=\"id\", {token}, {algs}")),
    ] {
        let refusal = ask(&world.rule(mode, support::route()), &headers, NOW).await.expect_err("a refusal");
        assert_eq!(refusal.challenge().expect("a challenge"), expected, "{mode:?}");
    }
    let claims = vec![ClaimRule { path: "/roles".into(), test: ClaimTest::AnyOf(vec![json!("admin")]) }];
    let rule = world.rule(Required, RouteAuth { claims, dpop_nonce: false, ..support::route() });
    let headers = with_proof(&bound, &world.client.proof(&bound, json!({})));
    let refusal = ask(&rule, &headers, NOW).await.expect_err("no role");
    assert_eq!((refusal.status().as_u16(), refusal.dpop_nonce()), (403, None));
}

#[tokio::test]
async fn a_proof_does_not_go_on_without_its_token() {
    let world = World::new();
    let headers = with_proof("t", "p");
    let cleansed = |mode, auth| {
        let mut headers = headers.clone();
        world.rule(mode, auth).cleanse(&mut headers);
        headers
    };
    assert!(cleansed(DpopMode::Required, support::route()).is_empty());
    assert!(cleansed(DpopMode::Off, support::route()).is_empty());
    assert_eq!(cleansed(DpopMode::Required, RouteAuth { forward_token: true, ..support::route() }), headers);
    let public = cleansed(DpopMode::Off, RouteAuth { mode: AuthMode::Public, ..support::route() });
    assert_eq!(public["dpop"], "p", "a token endpoint checks proofs itself (RFC 9449 section 5)");
}
