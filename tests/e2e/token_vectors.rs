//! Wycheproof's signatures through HTTP, where they are at hand. Its payloads are no claims, so none of its tokens may
//! open the edge; the same keys sign claims of our own, which may: so the refusals are not for want of a key.

use portcullis::config::{Keys, SecretBytes};
use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::origin::Origin;
use portcullis_tests::tokens::{SigningKey, Token};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PUBLIC: &str = r#""RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA""#;

#[expect(clippy::print_stdout, reason = "a skipped test must say so where its reader looks")]
fn groups() -> Option<Vec<Value>> {
    let directory = std::env::var_os("PORTCULLIS_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), PathBuf::from);
    let file = directory.join("wycheproof_json_web_signature_test.json");
    let Ok(text) = std::fs::read(&file) else {
        println!("SKIPPED: no token vectors in {}", directory.display());
        return None;
    };
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    file["testGroups"].as_array().cloned()
}

/// An edge that believes the key of a group, as far as it is one to be believed.
async fn edge(key: &Value, endpoint: &str) -> Edge {
    let folder = TempDir::new().expect("a folder");
    let algorithms = if key["kty"] == "oct" { key["alg"].to_string() } else { PUBLIC.to_owned() };
    // A set needs one usable key, and some groups test keys that are not.
    let other = SigningKey::new("other", if key["kty"] == "EC" { "EdDSA" } else { "ES384" });
    std::fs::write(folder.path().join("jwks.json"), json!({"keys": [key, other.jwk()]}).to_string()).expect("keys");
    let keys = if key["kty"] == "oct" {
        format!("{{ secret = \"{}\" }}", "replaced below".repeat(8))
    } else {
        "{ jwks_file = \"{folder}/jwks.json\" }".to_owned()
    };
    let config = format!(
        "[server]\nbad_tokens_per_minute_max = 0\n[listener.http]\naddress = \"127.0.0.1:0\"\n\
         [upstream.app]\nendpoints = [\"{endpoint}\"]\n[[route]]\nmatch = \"/**\"\nforward = \"app\"\n\
         [issuer.test]\niss = \"https://issuer.test\"\naudiences = [\"api\"]\nalgorithms = [{algorithms}]\nkeys = {keys}\n"
    );
    Edge::start_adjusted(folder, &config, Default::default(), |config| {
        if let (Some(secret), Keys::Secret(_)) = (key["k"].as_str(), &config.issuers[0].keys) {
            config.issuers[0].keys = Keys::Secret(SecretBytes(portcullis_tests::tokens::decode(secret)));
        }
    })
    .await
}

#[tokio::test]
async fn no_vector_opens_the_edge_and_claims_signed_with_the_same_keys_do() {
    let Some(groups) = groups() else { return };
    let origin = Origin::start().await.always(ok("ok"));
    let (mut refused, mut opened, mut unusable) = (0, 0, 0);
    for group in &groups {
        let key = group.get("public").unwrap_or(&group["private"]);
        let edge = edge(key, &origin.endpoint()).await;
        let before = (origin.received().len(), origin.connections());
        for case in group["tests"].as_array().expect("cases") {
            let token = case["jws"].as_str().map_or_else(|| case["jws"].to_string(), str::to_owned);
            let answer = edge.http().get("/").bearer(&token).send().await;
            assert_eq!(answer.status, 401, "{}: {answer:?}", case["tcId"]);
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains("error=\"invalid_token\""), "{}: {challenge}", case["tcId"]);
            refused += 1;
        }
        assert_eq!((origin.received().len(), origin.connections()), before, "nobody is asked or connected to");
        let private = &group["private"];
        match SigningKey::from_private_jwk(private) {
            Some(signer) => {
                let token = Token::good(&signer, "alice").sign(&signer);
                let _ = edge.http().get("/").bearer(&token).send().await.expect_status(200);
                opened += 1;
            }
            None => unusable += 1,
        }
    }
    // Keys for encryption, and two whose `alg` is "ES521", which is none.
    assert_eq!((refused, opened, unusable), (401, 17, 6));
}
