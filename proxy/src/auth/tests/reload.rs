//! What a reload keeps and what it forgets, and keys that are wrong in files.

use super::support::{NOW, Signer, at, bearer, claims, file, issuer, presented, route, set_of};
use crate::auth::{IssuerProblem, Issuers, PemProblem, RouteRule, TokenCache};
use crate::config::{self, Algorithm, Keys, SecretBytes};
use serde_json::json;

#[tokio::test]
async fn verified_tokens_survive_a_reload_that_changes_nothing_and_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let signer = Signer::new("k1");
    let path = file(&directory, "jwks.json", &set_of(&[&signer]));
    let config = issuer(Keys::JwksFile { path });
    let cache = TokenCache::new(100_000);
    let headers = bearer(&signer.sign(&claims(json!({}))));
    let identity = async |issuers: &Issuers| {
        let rule = RouteRule::new(&route(), issuers).expect("a rule");
        let permit =
            rule.authorize(presented(&headers), &cache, at(NOW)).await.map_err(|refusal| refusal.log_reason())?;
        Ok::<_, &str>(std::sync::Arc::clone(permit.verified().expect("a caller")))
    };
    let first = Issuers::build(std::slice::from_ref(&config), None).expect("issuers");
    let before = identity(&first).await.expect("an identity");

    let same = Issuers::build(std::slice::from_ref(&config), Some(&first)).expect("issuers");
    assert!(std::sync::Arc::ptr_eq(&before, &identity(&same).await.expect("an identity")));

    let stricter = config::Issuer { audiences: vec!["mail".into()], ..config.clone() };
    let stricter = Issuers::build(&[stricter], Some(&same)).expect("issuers");
    assert_eq!(identity(&stricter).await.err(), Some("audience_mismatch"), "the cache forgets with the rules");

    let other = Signer::new("k2");
    file(&directory, "jwks.json", &set_of(&[&other]));
    let rotated = Issuers::build(&[config], Some(&same)).expect("issuers");
    assert_eq!(identity(&rotated).await.err(), Some("key_unknown"), "the cache forgets with the key");
}

#[test]
fn keys_in_files_are_checked_when_they_are_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let build = |keys: Keys, algorithms: &[Algorithm]| {
        let issuer = config::Issuer { algorithms: algorithms.to_vec(), ..issuer(keys) };
        Issuers::build(&[issuer], None).map(|_| ()).map_err(|error| error.source)
    };
    let secret = |bytes: usize| Keys::Secret(SecretBytes(vec![7; bytes]));
    assert!(build(secret(32), &[Algorithm::HS256]).is_ok());
    assert!(matches!(build(secret(31), &[Algorithm::HS256]), Err(IssuerProblem::Secret(_))));
    assert!(matches!(build(secret(63), &[Algorithm::HS512]), Err(IssuerProblem::Secret(_))));

    let signer = Signer::new("k1");
    let inline = |set: serde_json::Value| build(Keys::Jwks(set), &[Algorithm::EdDSA]);
    assert!(inline(json!({"keys": [signer.jwk()]})).is_ok());
    assert!(matches!(inline(json!({"keys": []})), Err(IssuerProblem::Set(_))));

    let certified = rcgen::generate_simple_self_signed(vec!["id.example".to_owned()]).expect("a certificate");
    let public = certified.signing_key.public_key_pem();
    let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key").public_key_pem();
    for (content, algorithms, expected) in [
        (public.clone(), &[Algorithm::EdDSA, Algorithm::ES256][..], Ok(())),
        (certified.cert.pem(), &[Algorithm::ES256], Ok(())),
        (format!("{public}\n{ed}"), &[Algorithm::EdDSA, Algorithm::ES256], Ok(())),
        (public.clone(), &[Algorithm::ES384, Algorithm::RS256], Err("key 1")),
        (format!("{ed}\n{public}"), &[Algorithm::EdDSA], Err("key 2")),
        (certified.signing_key.serialize_pem(), &[Algorithm::ES256], Err("private key")),
        ("nothing".to_owned(), &[Algorithm::ES256], Err("no PUBLIC KEY")),
    ] {
        let path = file(&directory, "keys.pem", &content);
        let found = match build(Keys::PemFile { path }, algorithms) {
            Err(IssuerProblem::Pem { source, .. }) => Err(source),
            other => other.map_err(|_| PemProblem::NoKey),
        };
        match (&found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(problem), Err(text)) => assert!(problem.to_string().contains(text), "{problem}"),
            _ => panic!("{found:?} instead of {expected:?} for {content}"),
        }
    }
}
