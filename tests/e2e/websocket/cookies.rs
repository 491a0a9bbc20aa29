//! A token in a cookie opens a WebSocket over HTTP/2 only for pages of this origin.

use super::extended_connect::{Stream, key};
use super::switched;
use portcullis_tests::edge::{Edge, forwarding_from_both};
use portcullis_tests::origin::Origin;
use portcullis_tests::tokens::{SigningKey, Token, jwk_set};
use tempfile::TempDir;

#[tokio::test]
async fn an_extended_connect_with_a_cookie_comes_from_this_origin() {
    let (signer, folder) = (SigningKey::new("first", "EdDSA"), TempDir::new().expect("a folder"));
    std::fs::write(folder.path().join("jwks.json"), jwk_set(&[&signer])).expect("the keys are written");
    let mut origin = Origin::start().await;
    let open = forwarding_from_both(&origin.endpoint());
    let closed =
        "token_from = [\"cookie:__Host-access\"]\ncsrf = \"origin\"\nallowed_origins = [\"https://app.example\"]";
    let issuer = "[issuer.test]\niss = \"https://issuer.test\"\naudiences = [\"api\"]\nalgorithms = [\"EdDSA\"]\n\
                  keys = { jwks_file = \"{folder}/jwks.json\" }\n";
    let config = format!("{}\n{issuer}", open.replace("auth = \"public\"", closed));
    let edge = Edge::start_in(folder, &config).await;
    let cookie = format!("__Host-access={}", Token::good(&signer, "alice").sign(&signer));
    for (from, allowed) in [
        (None, false),
        (Some("https://evil.example"), false),
        (Some("http://localhost"), false),
        (Some("https://localhost"), true),
        (Some("https://app.example"), true),
    ] {
        let mut client = Stream::open(&edge).await;
        let mut fields = vec![("sec-websocket-version", "13"), ("cookie", cookie.as_str())];
        fields.extend(from.map(|from| ("origin", from)));
        client.connect("websocket", "/chat", &fields).await;
        if allowed {
            let mut exchange = origin.exchange().await;
            assert!(!exchange.head().raw.contains("__Host-access"), "{}", exchange.head().raw);
            let key = key(&exchange);
            exchange.send(switched(&key)).await;
        }
        assert_eq!(client.status().await, if allowed { 200 } else { 403 }, "{from:?}");
    }
    assert!(origin.is_quiet());
}
