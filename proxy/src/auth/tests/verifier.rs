//! The verifier's table: one token a row, and the exact reason.

use super::support::{NOW, Signer, claims, issuer};
use crate::auth::keys::jwk::{Origin, load_set};
use crate::auth::policy::Policy;
use crate::auth::reject::{Reason, Reject};
use crate::auth::verify::{Candidate, verify};
use crate::config::{self, Algorithm, Keys, RequiredClaim, SecretBytes};
use proptest::prelude::*;
use serde_json::{Value, json};
use serve::contract::identity::Identity;

struct Bench {
    signer: Signer,
    issuer: config::Issuer,
}

impl Bench {
    fn new() -> Self {
        Self { signer: Signer::new("k1"), issuer: issuer(Keys::Secret(SecretBytes(Vec::new()))) }
    }

    fn verify(&self, token: &str) -> Result<crate::auth::Verified, Reject> {
        let set = json!({"keys": [self.signer.jwk()]}).to_string();
        let (keys, _) = load_set(set.as_bytes(), Origin::Remote, &self.issuer.algorithms).expect("a set");
        let candidate = Candidate { policy: &Policy::new(&self.issuer), keys: Some(&keys) };
        verify(token.as_bytes(), &[candidate], NOW).map(|(_, verified)| verified).map_err(|rejected| rejected.reject)
    }

    fn reason(&self, changes: Value) -> Option<Reason> {
        self.verify(&self.signer.sign(&claims(changes))).err().map(|reject| reject.reason)
    }
}

#[test]
fn claims_one_by_one() {
    let bench = Bench::new();
    let day = 24 * 60 * 60;
    for (changes, expected) in [
        (json!({}), None),
        (json!({"iss": "https://id.example/"}), Some(Reason::Issuer)),
        (json!({"iss": ["https://id.example"]}), Some(Reason::ClaimType)),
        (json!({"iss": null}), Some(Reason::Issuer)),
        (json!({"aud": ["x", "mail"]}), None),
        (json!({"aud": ["x"]}), Some(Reason::Audience)),
        (json!({"aud": []}), Some(Reason::Audience)),
        (json!({"aud": "NOTES"}), Some(Reason::Audience)),
        (json!({"aud": 7}), Some(Reason::ClaimType)),
        (json!({"aud": null}), Some(Reason::Audience)),
        (json!({"exp": null}), Some(Reason::ExpiryMissing)),
        (json!({"exp": "never"}), Some(Reason::ClaimType)),
        (json!({"exp": NOW - 29}), None),
        (json!({"exp": NOW - 30}), Some(Reason::Expired)),
        (json!({"nbf": NOW + 30}), None),
        (json!({"nbf": NOW + 31}), Some(Reason::NotYetValid)),
        (json!({"iat": NOW + 30}), None),
        (json!({"iat": NOW + 31}), Some(Reason::IssuedInFuture)),
        (json!({"iat": null}), None),
        (json!({"iat": NOW, "exp": NOW + day}), None),
        (json!({"iat": NOW, "exp": NOW + day + 1}), Some(Reason::LifetimeTooLong)),
        (json!({"iat": null, "exp": NOW + day + 30}), None),
        (json!({"iat": null, "exp": NOW + day + 31}), Some(Reason::LifetimeTooLong)),
        (json!({"sub": null}), Some(Reason::SubjectMissing)),
        (json!({"sub": ""}), Some(Reason::ClaimType)),
        (json!({"sub": 7}), None),
        (json!({"jti": 7}), Some(Reason::ClaimType)),
        (json!({"sid": {}}), Some(Reason::ClaimType)),
        (json!({"scope": ["a", "b"]}), None),
    ] {
        assert_eq!(bench.reason(changes.clone()), expected, "{changes}");
    }
}

#[test]
fn headers_and_keys_one_by_one() {
    let bench = Bench::new();
    let good = claims(json!({})).to_string();
    for (header, expected) in [
        (json!({"alg": "EdDSA"}), None),
        (json!({"alg": "Ed25519", "kid": "k1"}), None),
        (json!({"alg": "EdDSA", "typ": "AT+jwt"}), None),
        (json!({"alg": "EdDSA", "typ": "application/at+jwt"}), None),
        (json!({"alg": "EdDSA", "typ": "edge-assertion+jwt"}), Some(Reason::Type)),
        (json!({"alg": "EdDSA", "typ": "dpop+jwt"}), Some(Reason::Type)),
        (json!({"alg": "EdDSA", "kid": "k2"}), Some(Reason::KeyUnknown)),
        (json!({"alg": "HS256", "kid": "k1"}), Some(Reason::AlgorithmMismatch)),
        (json!({"alg": "HS256", "kid": "k2"}), Some(Reason::AlgorithmMismatch)),
        (json!({"alg": "ES256", "kid": "k1"}), Some(Reason::AlgorithmMismatch)),
        (json!({"alg": "ES256"}), Some(Reason::AlgorithmMismatch)),
        (json!({"alg": "none"}), Some(Reason::AlgorithmUnknown)),
        (json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}), Some(Reason::Extension)),
        (json!({"alg": "EdDSA", "jwk": bench.signer.jwk()}), Some(Reason::EmbeddedKey)),
    ] {
        let token = bench.signer.sign_raw(&header.to_string(), &good);
        assert_eq!(bench.verify(&token).err().map(|reject| reject.reason), expected, "{header}");
    }
    let late = bench.signer.sign_raw(r#"{"alg":"EdDSA","kid":"k2"}"#, &claims(json!({"exp": NOW - 60})).to_string());
    assert_eq!(bench.verify(&late).err(), Some(Reason::Expired.into()), "no reason to fetch keys, nor to tell");
    let unnamed = bench.verify(&bench.signer.sign_raw(r#"{"alg":"EdDSA"}"#, &good)).expect("the only key");
    assert_eq!(unnamed.kid(), Some("k1"), "a revoked key is found by its own name");
    let header = r#"{"alg":"EdDSA"}"#;
    for (payload, expected) in [
        ("", Reason::Segments),
        ("foo", Reason::Claims),
        ("[]", Reason::Claims),
        (&good.replacen('{', r#"{"exp":1,"#, 1), Reason::ClaimTwice),
    ] {
        let token = bench.signer.sign_raw(header, payload);
        assert_eq!(bench.verify(&token).err(), Some(expected.into()), "{payload}");
    }
}

#[test]
fn the_client_hears_a_reason_only_after_a_good_signature() {
    let mut bench = Bench::new();
    bench.issuer.must.insert("token_type".into(), json!("access"));
    let stranger = Signer::new("k1");
    let access = |changes: Value| {
        let mut claims = claims(changes);
        if claims.get("token_type").is_none() {
            claims["token_type"] = json!("access");
        }
        claims
    };
    for (changes, genuine, forged) in [
        (json!({}), None, Reason::Signature),
        (json!({"exp": NOW - 100}), Some((Reason::Expired, true)), Reason::Signature),
        (json!({"token_type": "refresh"}), Some((Reason::WrongKind, true)), Reason::Signature),
        (json!({"aud": "x"}), Some((Reason::Audience, false)), Reason::Audience),
    ] {
        let claims = access(changes);
        let found = bench.verify(&bench.signer.sign(&claims)).err().map(|reject| (reject.reason, reject.genuine));
        assert_eq!(found, genuine, "{claims}");
        assert_eq!(bench.verify(&stranger.sign(&claims)).err(), Some(forged.into()), "{claims}");
    }
}

#[test]
fn what_an_issuer_need_not_write_may_be_absent_but_not_wrong() {
    let mut bench = Bench::new();
    bench.issuer.require.clear();
    for (changes, expected) in [
        (json!({"iss": null, "aud": null, "sub": null}), None),
        (json!({"iss": "x"}), Some(Reason::Issuer)),
        (json!({"aud": "x"}), Some(Reason::Audience)),
        (json!({"exp": null}), None),
        // Without `exp` a token counts for the longest lifetime.
        (json!({"exp": null, "iat": NOW - 24 * 60 * 60 - 31}), Some(Reason::Expired)),
        (json!({"exp": null, "iat": null}), None),
    ] {
        assert_eq!(bench.reason(changes.clone()), expected, "{changes}");
    }
}

#[test]
fn a_simplejwt_token_names_its_user_in_user_id() {
    let mut bench = Bench::new();
    bench.issuer.iss = None;
    bench.issuer.audiences.clear();
    bench.issuer.require = vec![RequiredClaim::Exp, RequiredClaim::Sub];
    bench.issuer.subject_claim = "user_id".into();
    bench.issuer.must.insert("token_type".into(), json!("access"));
    let token = bench.signer.sign(&json!({
        "token_type": "access", "exp": NOW + 300, "iat": NOW, "jti": "a1b2", "user_id": 42, "name": "Ann",
    }));
    let verified = bench.verify(&token).expect("an identity");
    let identity: Identity = serde_json::from_str(verified.identity_json().get()).expect("an identity");
    assert_eq!((&*identity.subject, &*identity.issuer, identity.expires_at), ("42", "id", NOW + 300));
    assert_eq!(identity.token_id.as_deref(), Some("a1b2"));
    assert_eq!(verified.claim("user_id"), Some(json!(42)), "rules see the claim as it was written");
    let others: Vec<_> = identity.claims.keys().map(String::as_str).collect();
    assert_eq!(others, ["iat", "name", "token_type"]);
    assert_eq!((verified.issued_at(), verified.kid()), (Some(NOW), Some("k1")));
}

#[test]
fn a_token_is_tried_against_its_own_issuer() {
    let (ann, bob) = (Bench::new(), Bench::new());
    let other = config::Issuer { iss: Some("https://other.example".into()), ..bob.issuer.clone() };
    let load = |bench: &Bench| {
        let set = json!({"keys": [bench.signer.jwk()]}).to_string();
        load_set(set.as_bytes(), Origin::Remote, &[Algorithm::EdDSA]).expect("a set").0
    };
    let (ann_keys, bob_keys) = (load(&ann), load(&bob));
    let (ann_policy, bob_policy) = (Policy::new(&ann.issuer), Policy::new(&other));
    let candidates = [
        Candidate { policy: &ann_policy, keys: Some(&ann_keys) },
        Candidate { policy: &bob_policy, keys: Some(&bob_keys) },
    ];
    let from_bob = claims(json!({"iss": "https://other.example"}));
    let place = |token: String| verify(token.as_bytes(), &candidates, NOW).map(|(index, _)| index);
    assert_eq!(place(ann.signer.sign(&claims(json!({})))), Ok(0));
    assert_eq!(place(bob.signer.sign(&from_bob)), Ok(1));
    let forged = place(ann.signer.sign(&from_bob)).expect_err("one issuer in the name of another");
    assert_eq!((forged.reject.reason, forged.candidate), (Reason::Signature, Some(1)));
}

/// simplejwt's tokens carry no `iss`, so such an issuer takes any; it must not take what is another's.
#[test]
fn an_issuer_without_a_name_speaks_for_no_other() {
    let (named, mut nameless) = (Bench::new(), Bench::new());
    nameless.issuer = config::Issuer {
        name: "legacy".into(),
        iss: None,
        audiences: Vec::new(),
        require: vec![RequiredClaim::Exp],
        ..nameless.issuer
    };
    let load = |bench: &Bench| {
        let set = json!({"keys": [bench.signer.jwk()]}).to_string();
        load_set(set.as_bytes(), Origin::Remote, &[Algorithm::EdDSA]).expect("a set").0
    };
    let (named_keys, nameless_keys) = (load(&named), load(&nameless));
    let (named_policy, nameless_policy) = (Policy::new(&named.issuer), Policy::new(&nameless.issuer));
    let candidates = [
        Candidate { policy: &nameless_policy, keys: Some(&nameless_keys) },
        Candidate { policy: &named_policy, keys: Some(&named_keys) },
    ];
    let place = |bench: &Bench, iss: Value| {
        let token = bench.signer.sign(&claims(json!({"iss": iss})));
        verify(token.as_bytes(), &candidates, NOW).map(|(index, _)| index).map_err(|rejected| rejected.reject.reason)
    };
    assert_eq!(place(&nameless, Value::Null), Ok(0));
    assert_eq!(place(&nameless, json!("https://elsewhere.example")), Ok(0), "nobody's name");
    assert_eq!(place(&named, json!("https://id.example")), Ok(1));
    assert_eq!(place(&nameless, json!("https://id.example")), Err(Reason::Signature), "in the name of another");
    assert_eq!(place(&named, Value::Null), Err(Reason::Signature), "names nobody, and is not the nameless one's");
}

proptest! {
    #[test]
    fn any_change_of_a_good_token_is_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bench = Bench::new();
        let token = bench.signer.sign(&claims(json!({})));
        let mut changed = token.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        if let Ok(changed) = String::from_utf8(changed) {
            prop_assert_eq!(bench.verify(&changed).is_ok(), changed == token);
        }
    }

    #[test]
    fn no_bytes_make_the_verifier_panic(header in ".{0,80}", payload in ".{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bench = Bench::new();
        let _ = bench.verify(&bench.signer.sign_raw(&header, &payload));
        let _ = bench.verify(&bench.signer.sign_raw(r#"{"alg":"EdDSA"}"#, &payload));
        prop_assert!(crate::auth::fuzz_verify(&bytes));
    }
}
