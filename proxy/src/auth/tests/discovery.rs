//! Keys whose place the issuer's own document tells.

use super::support::{Signer, issuer, set_of};
use super::web::{JWKS, Web, ask, loaded};
use crate::auth::{Issuers, RouteRule};
use crate::config::{self, Keys};
use http::{Response, StatusCode};
use serde_json::json;

const DOCUMENT: &str = "/realm/.well-known/openid-configuration";

fn discovering(web: &Web) -> config::Issuer {
    issuer(Keys::Discovery { url: web.url("/realm"), insecure: false })
}

fn document(web: &Web, issuer: &str, path: &str) {
    let text = json!({"issuer": issuer, "jwks_uri": web.url(path).to_string(), "scopes_supported": ["openid"]});
    web.set_at(DOCUMENT, Response::new(text.to_string().into()));
}

#[tokio::test]
async fn the_document_leads_to_the_keys_and_to_where_they_move() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let web = Web::start(set_of(&[&old])).await;
    document(&web, "https://id.example", JWKS);
    let issuers = Issuers::build(&[discovering(&web)], None).expect("issuers");
    let _guard = issuers.spawn_refresh();
    let rule = loaded(&issuers, &web).await;
    assert_eq!((ask(&rule, &old).await, web.hits()), (Ok(()), 2), "the document and the set");

    web.set_at("/moved", Response::new(set_of(&[&new]).into()));
    document(&web, "https://id.example", "/moved");
    assert_eq!((ask(&rule, &new).await, web.hits()), (Ok(()), 4), "an unknown key asks both again");
    assert!(ask(&rule, &old).await.is_err(), "what is no longer published is no longer believed");
}

#[tokio::test]
async fn a_document_about_somebody_else_is_not_believed() {
    let (signer, next) = (Signer::new("k1"), Signer::new("k2"));
    let web = Web::start(set_of(&[&signer])).await;
    document(&web, "https://id.example/", JWKS);
    let issuers = Issuers::build(&[discovering(&web)], None).expect("issuers");
    let _guard = issuers.spawn_refresh();
    web.until_hits(1).await;
    let rule = RouteRule::new(&super::support::route(), &issuers).expect("a rule");
    let refusal = ask(&rule, &signer).await.expect_err("no keys");
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(issuers.ready().is_err());

    document(&web, "https://id.example", JWKS);
    while issuers.ready().is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&rule, &signer).await, Ok(()), "recovers by itself");

    document(&web, "https://evil.example", "/evil");
    web.set_at("/evil", Response::new(set_of(&[&next]).into()));
    assert!(ask(&rule, &next).await.is_err());
    assert_eq!(ask(&rule, &signer).await, Ok(()), "and what was good stays in use");
    let freshness: Vec<_> = issuers.freshness().collect();
    assert!(freshness[0].failed >= 1 && freshness[0].fetched == 1, "{freshness:?}");
}
