//! Remote sets over a real connection: rotation, one shared fetch, failures, limits.

use super::support::{self, NOW, Signer, at, bearer, claims, issuer, presented, route, set_of};
use super::web::{Web, ask, loaded};
use crate::auth::{Issuers, RouteRule, TokenCache};
use crate::config::{self, Algorithm, Keys, RequiredClaim, SecretBytes};
use futures_util::future::join_all;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn nobody_is_sent_away_while_keys_rotate_and_all_share_one_fetch() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let web = Web::start(set_of(&[&old])).await;
    let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
    assert!(issuers.ready().is_err());
    let _guard = issuers.spawn_refresh();
    let rule = loaded(&issuers, &web).await;
    assert_eq!((ask(&rule, &old).await, web.hits()), (Ok(()), 1));

    web.set(Response::new(set_of(&[&old, &new]).into()));
    let results = join_all((0..50).map(|_| ask(&rule, &new))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(web.hits(), 2, "fifty requests, one fetch");
    assert_eq!(ask(&rule, &old).await, Ok(()));

    let refusal = ask(&rule, &Signer::new("stranger")).await.expect_err("a key that nobody has");
    assert_eq!((refusal.status(), refusal.log_reason()), (StatusCode::UNAUTHORIZED, "key_unknown"));
    assert_eq!(web.hits(), 2, "garbage causes no second fetch within ten seconds");
}

/// Tokens that name no issuer (simplejwt's) are tried against each: one that can't have signed them must not hide that
/// another's keys are still to come.
#[tokio::test]
async fn keys_rotate_beside_an_issuer_that_cannot_have_signed() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let web = Web::start(set_of(&[&old])).await;
    let nameless = |issuer: config::Issuer, name: &str| config::Issuer {
        name: name.into(),
        iss: None,
        require: vec![RequiredClaim::Exp, RequiredClaim::Aud, RequiredClaim::Sub],
        ..issuer
    };
    let before = config::Issuer {
        algorithms: vec![Algorithm::HS256],
        ..nameless(issuer(Keys::Secret(SecretBytes(vec![7; 32]))), "before")
    };
    let configured = [nameless(web.issuer(), "id"), before];
    let auth = config::RouteAuth { issuers: vec!["id".into(), "before".into()], ..route() };
    let token = |signer: &Signer, changes| signer.sign(&claims(changes));
    let unnamed = |signer: &Signer| token(signer, json!({"iss": null}));
    let unloaded = Issuers::build(&configured, None).expect("issuers");
    let rule = RouteRule::new(&auth, &unloaded).expect("a rule");
    let refusal = support::ask(&rule, &unnamed(&old)).await.expect_err("no task fetches keys");
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);

    let issuers = Issuers::build(&configured, None).expect("issuers");
    let rule = RouteRule::new(&auth, &issuers).expect("a rule");
    let _guard = issuers.spawn_refresh();
    loaded(&issuers, &web).await;
    assert!(support::ask(&rule, &unnamed(&old)).await.is_ok());
    let expired = token(&old, json!({"iss": null, "iat": NOW - 400, "exp": NOW - 100}));
    let refusal = support::ask(&rule, &expired).await.expect_err("it has expired");
    assert_eq!(refusal.code(), "token_expired");
    web.set(Response::new(set_of(&[&old, &new]).into()));
    assert!(support::ask(&rule, &unnamed(&new)).await.is_ok());
}

#[tokio::test]
async fn garbage_with_an_unknown_kid_causes_no_fetch() {
    let signer = Signer::new("k1");
    let web = Web::start(set_of(&[&signer])).await;
    let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
    let _guard = issuers.spawn_refresh();
    let rule = loaded(&issuers, &web).await;
    let headers = bearer(&Signer::new("k2").sign(&claims(json!({"aud": "x"}))));
    assert!(rule.authorize(presented(&headers), &TokenCache::new(0), at(NOW)).await.is_err());
    assert_eq!(web.hits(), 1);
}

#[tokio::test]
async fn without_keys_the_answer_is_503_and_never_401() {
    let signer = Signer::new("k1");
    let web = Web::start(String::new()).await;
    web.set(Response::builder().status(500).body(Full::default()).expect("a response"));
    let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
    let rule = RouteRule::new(&route(), &issuers).expect("a rule");
    let refusal = ask(&rule, &signer).await.expect_err("no task runs yet");
    assert_eq!((refusal.status(), refusal.code()), (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable"));
    let _guard = issuers.spawn_refresh();
    web.until_hits(1).await;
    let refusal = ask(&rule, &signer).await.expect_err("the issuer is ill");
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refusal.retry_after().is_some() && issuers.ready().is_err());
}

#[tokio::test]
async fn the_last_good_set_outlives_every_kind_of_bad_answer() {
    let (good, next) = (Signer::new("good"), Signer::new("next"));
    let elsewhere = Web::start(set_of(&[&next])).await;
    let status = |code: u16| Response::builder().status(code).body(Full::from(set_of(&[&next]))).expect("a response");
    let mut redirect = status(302);
    let location = format!("http://127.0.0.1:{}/jwks", elsewhere.port);
    redirect.headers_mut().insert("location", location.parse().expect("a value"));
    let many: Vec<_> = (0..65).map(|number| Signer::new(&number.to_string())).chain([Signer::new("next")]).collect();
    for (what, answer) in [
        ("error", status(500)),
        ("not found", status(404)),
        ("redirect", redirect),
        ("oversize", Response::new(format!("{}{}", set_of(&[&next]), " ".repeat(256 * 1024)).into())),
        ("too many keys", Response::new(set_of(&many.iter().collect::<Vec<_>>()).into())),
        ("no JSON", Response::new("<html>".into())),
        ("no keys", Response::new(r#"{"keys":[]}"#.into())),
        ("a secret", Response::new(r#"{"keys":[{"kty":"oct","kid":"next","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#.into())),
    ] {
        let web = Web::start(set_of(&[&good])).await;
        let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
        let _guard = issuers.spawn_refresh();
        let rule = loaded(&issuers, &web).await;
        web.set(answer);
        for asked in ["the fetch has failed", "and is not repeated"] {
            let refusal = ask(&rule, &next).await.expect_err(what);
            let found = (refusal.status(), refusal.log_reason(), web.hits());
            assert_eq!(found, (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", 2), "{what}: {asked}");
        }
        assert_eq!(ask(&rule, &good).await, Ok(()), "{what}");
    }
    assert_eq!(elsewhere.hits(), 0, "redirects are not followed");
}

#[tokio::test]
async fn one_bad_key_takes_no_good_one_along() {
    let (good, twin) = (Signer::new("good"), Signer::new("twin"));
    let other_twin = Signer::new("twin");
    let leaked = Signer::new("leaked");
    let mut published = leaked.jwk();
    published["d"] = json!("AAAA");
    let keys = json!({"keys": [
        {"kty": "RSA", "kid": "odd", "n": "AQAB", "e": 7},
        {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "AKP", "kid": "future", "alg": "ML-DSA-65", "pub": "AAAA"},
        {"kty": "OKP", "kid": "enc", "crv": "Ed25519", "use": "enc", "x": good.jwk()["x"]},
        "not even an object", published, twin.jwk(), other_twin.jwk(), good.jwk(),
    ]});
    let web = Web::start(keys.to_string()).await;
    let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
    let _guard = issuers.spawn_refresh();
    let rule = loaded(&issuers, &web).await;
    assert_eq!(ask(&rule, &good).await, Ok(()));
    assert_eq!(ask(&rule, &leaked).await.expect_err("anybody can sign").log_reason(), "key_unknown");
    assert_eq!(ask(&rule, &twin).await.expect_err("a name for two keys").log_reason(), "key_unknown");
}

#[tokio::test]
async fn a_slow_issuer_delays_a_request_by_half_a_second_at_most() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let web = Web::start(set_of(&[&old])).await;
    let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
    let _guard = issuers.spawn_refresh();
    let rule = loaded(&issuers, &web).await;
    web.held.send_replace(true);
    web.set(Response::new(set_of(&[&old, &new]).into()));
    let start = std::time::Instant::now();
    let refusal = ask(&rule, &new).await.expect_err("nobody knows yet");
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE, "not 401: the key may exist");
    assert!(start.elapsed().as_millis() < 5000, "{:?}", start.elapsed());
    assert_eq!(ask(&rule, &old).await, Ok(()), "known keys never wait");
    web.held.send_replace(false);
    assert_eq!(ask(&rule, &new).await, Ok(()), "joins the fetch under way");
}

#[tokio::test]
async fn a_reload_keeps_what_was_fetched() {
    let signer = Signer::new("k1");
    let web = Web::start(set_of(&[&signer])).await;
    let config = web.issuer();
    let first = Issuers::build(std::slice::from_ref(&config), None).expect("issuers");
    let guard = first.spawn_refresh();
    loaded(&first, &web).await;
    let other_rules = config::Issuer { audiences: vec!["notes".into()], ..config };
    let second = Issuers::build(&[other_rules], Some(&first)).expect("issuers");
    let _new_guard = second.spawn_refresh();
    drop((first, guard));
    assert_eq!(second.ready(), Ok(()));
    let rule = RouteRule::new(&route(), &second).expect("a rule");
    assert_eq!((ask(&rule, &signer).await, web.hits()), (Ok(()), 1));
    let freshness: Vec<_> = second.freshness().collect();
    assert!(matches!(&*freshness, [only] if only.issuer == "id" && only.age.is_some()), "{freshness:?}");
    assert_eq!((freshness[0].fetched, freshness[0].failed), (1, 0), "counts go on");
}

#[test]
fn requests_of_other_runtimes_wait_for_the_task_of_this_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let main = runtime();
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    main.block_on(async {
        let web = Web::start(set_of(&[&old])).await;
        let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
        let _guard = issuers.spawn_refresh();
        let rule = Arc::new(loaded(&issuers, &web).await);
        web.set(Response::new(set_of(&[&old, &new]).into()));
        let new = Arc::new(new);
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (rule, new) = (Arc::clone(&rule), Arc::clone(&new));
                tokio::task::spawn_blocking(move || runtime().block_on(ask(&rule, &new)))
            })
            .collect();
        for worker in workers {
            assert_eq!(worker.await.expect("a worker"), Ok(()));
        }
        assert_eq!(web.hits(), 2);
    });
}

#[tokio::test]
async fn a_thousand_random_kids_cause_one_fetch_and_disturb_nobody() {
    let signer = Signer::new("k1");
    let web = Web::start(set_of(&[&signer])).await;
    let issuers = Issuers::build(&[web.issuer()], None).expect("issuers");
    let _guard = issuers.spawn_refresh();
    let rule = loaded(&issuers, &web).await;
    web.held.send_replace(true);
    let strangers: Vec<_> = (0..1000).map(|number| Signer::new(&format!("random-{number}"))).collect();
    let flood = join_all(strangers.iter().map(|stranger| ask(&rule, stranger)));
    let meanwhile = async {
        web.until_hits(2).await;
        for _ in 0..100 {
            assert_eq!(ask(&rule, &signer).await, Ok(()), "known keys never wait");
        }
        web.held.send_replace(false);
    };
    let (refusals, ()) = tokio::join!(flood, meanwhile);
    let count = |status| {
        refusals.iter().filter(|found| found.as_ref().err().map(|refusal| refusal.status()) == Some(status)).count()
    };
    let (unauthorised, unavailable) = (count(StatusCode::UNAUTHORIZED), count(StatusCode::SERVICE_UNAVAILABLE));
    // Fewer on a machine so slow that the half second of some runs out before.
    assert!(unauthorised <= 256, "no more are decided than may wait: {unauthorised}");
    assert_eq!(unauthorised + unavailable, 1000, "nobody knows about the others, who may try again");
    assert_eq!(web.hits(), 2, "the first one, and one for a thousand");
    while issuers.freshness().all(|keys| keys.fetched < 2) {
        tokio::task::yield_now().await;
    }
    let again = join_all(strangers.iter().map(|stranger| ask(&rule, stranger))).await;
    assert!(
        again.iter().all(|found| found.as_ref().is_err_and(|refusal| refusal.status() == StatusCode::UNAUTHORIZED))
    );
    assert_eq!(web.hits(), 2, "and none within ten seconds");
}
