//! Reading one proof.

use super::support::{Client, NOW, base64url, claims};
use crate::auth::dpop::fault::{BindingFault, DpopFault, ProofFault};
use crate::auth::dpop::proof::{AGE_SECONDS_MAX, AHEAD_SECONDS_MAX, Expected, ID_BYTES_MAX, Proof};
use crate::auth::dpop::target::HttpTarget;
use crate::auth::reject::Reason;
use proptest::prelude::*;
use serde_json::{Value, json};

const TOKEN: &str = "the.access.token";

/// What a proof for a GET of `https://notes.example/notes` with [`TOKEN`] comes to.
fn read(proof: &str, thumbprint: &str, now: u64) -> Result<(), DpopFault> {
    let expected = Expected {
        method: "GET",
        target: HttpTarget::of_request(true, b"notes.example", "/notes"),
        token: TOKEN.as_bytes(),
        thumbprint,
    };
    Proof::read(proof.as_bytes(), &expected, now)?.check_signature().map_err(DpopFault::from)
}

#[test]
fn the_examples_of_the_standard_are_good() {
    // RFC 9449 sections 4.1 and 7.1: figures 2 and 13, by the same key.
    const KEY: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    let to_token_endpoint = format!(
        "{KEY}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    );
    let to_resource = format!(
        "{KEY}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let expected = |method, authority: &str, path, thumbprint| Expected {
        method,
        target: HttpTarget::of_request(true, authority.as_bytes(), path),
        token: b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        thumbprint,
    };
    // Section 6.1.
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let resource = expected("GET", "resource.example.org", "/protectedresource", thumbprint);
    let proof = Proof::read(to_resource.as_bytes(), &resource, 1_562_262_618).expect("a good proof");
    assert_eq!(
        (proof.id.as_str(), proof.issued_at, proof.check_signature()),
        ("e1j3V_bKic8-LAEB", 1_562_262_618, Ok(()))
    );
    // It is no proof for a resource: all that it lacks is the token's hash.
    let token = expected("POST", "server.example.com", "/token", thumbprint);
    let fault = Proof::read(to_token_endpoint.as_bytes(), &token, 1_562_262_616).expect_err("no ath");
    assert_eq!(fault, ProofFault::TokenHash.into());
    let other = expected("GET", "resource.example.org", "/protectedresource", "another");
    let fault = Proof::read(to_resource.as_bytes(), &other, 1_562_262_618).expect_err("another key");
    assert_eq!(fault, BindingFault::Key.into());
    let fault = Proof::read(to_resource.as_bytes(), &resource, 1_562_262_618 + 61).expect_err("too old");
    assert_eq!(fault, ProofFault::Time.into());
}

#[test]
fn proofs_of_every_kind_of_key_are_good() {
    for algorithm in ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"] {
        let client = Client::new(algorithm);
        assert_eq!(read(&client.proof(TOKEN, json!({})), &client.thumbprint(), NOW), Ok(()), "{algorithm}");
    }
}

#[test]
fn each_claim_must_be_right() {
    let client = Client::new("EdDSA");
    let long = "a".repeat(ID_BYTES_MAX + 1);
    let age = |seconds: i64| json!({"iat": i64::try_from(NOW).expect("a time") + seconds});
    let (past, ahead) = (AGE_SECONDS_MAX.cast_signed(), AHEAD_SECONDS_MAX.cast_signed());
    let good = Ok(());
    let wrong = |fault: ProofFault| Err(DpopFault::from(fault));
    for (changes, expected) in [
        (json!({}), good),
        (json!({"extra": [1], "exp": 1}), good),
        (json!({"jti": "a".repeat(ID_BYTES_MAX)}), good),
        (json!({"jti": null}), wrong(ProofFault::Id)),
        (json!({"jti": ""}), wrong(ProofFault::Id)),
        (json!({"jti": 1}), wrong(ProofFault::Id)),
        (json!({"jti": long}), wrong(ProofFault::Id)),
        (json!({"htm": null}), wrong(ProofFault::Method)),
        (json!({"htm": "POST"}), wrong(ProofFault::Method)),
        (json!({"htm": "get"}), wrong(ProofFault::Method)),
        (json!({"htm": ["GET"]}), wrong(ProofFault::Method)),
        (json!({"htu": "HTTPS://NOTES.example:443/notes?a=1#b"}), good),
        (json!({"htu": null}), wrong(ProofFault::Target)),
        (json!({"htu": "http://notes.example/notes"}), wrong(ProofFault::Target)),
        (json!({"htu": "https://notes.example/other"}), wrong(ProofFault::Target)),
        (json!({"htu": "https://evil.example/notes"}), wrong(ProofFault::Target)),
        (json!({"htu": "/notes"}), wrong(ProofFault::Target)),
        (json!({"htu": {}}), wrong(ProofFault::Target)),
        (json!({"iat": null}), wrong(ProofFault::Time)),
        (json!({"iat": NOW.to_string()}), wrong(ProofFault::Time)),
        (json!({"iat": -1}), wrong(ProofFault::Time)),
        (json!({"iat": 1e300}), wrong(ProofFault::Time)),
        (age(-past), good),
        (age(-past - 1), wrong(ProofFault::Time)),
        (age(ahead), good),
        (age(ahead + 1), wrong(ProofFault::Time)),
        (json!({"ath": null}), wrong(ProofFault::TokenHash)),
        (json!({"ath": "x"}), wrong(ProofFault::TokenHash)),
        (json!({"ath": claims("another token", json!({}))["ath"]}), wrong(ProofFault::TokenHash)),
        (json!({"nonce": "any"}), good),
        (json!({"nonce": 1}), wrong(ProofFault::NonceType)),
    ] {
        assert_eq!(read(&client.proof(TOKEN, changes.clone()), &client.thumbprint(), NOW), expected, "{changes}");
    }
    let twice = claims(TOKEN, json!({})).to_string().replacen('{', "{\"htm\":\"GET\",", 1);
    let proof = client.sign(&client.header().to_string(), &twice);
    assert_eq!(read(&proof, &client.thumbprint(), NOW), wrong(ProofFault::Jws(Reason::ClaimTwice)));
}

#[test]
fn each_part_of_the_header_must_be_right() {
    let client = Client::new("ES256");
    let mut rsa = Client::new("RS256").jwk();
    rsa["n"] = json!(base64url([0xc5; 513]));
    let with = |name: &str, value: Value| {
        let mut header = client.header();
        match value {
            Value::Null => drop(header.as_object_mut().expect("an object").remove(name)),
            value => header[name] = value,
        }
        header.to_string()
    };
    let with_key = |name: &str, value: Value| {
        let mut jwk = client.jwk();
        jwk[name] = value;
        with("jwk", jwk)
    };
    let jws = |reason| Err(DpopFault::from(ProofFault::Jws(reason)));
    let wrong = |fault: ProofFault| Err(DpopFault::from(fault));
    let key_twice = client.header().to_string().replacen("\"crv\"", "\"crv\":\"P-256\",\"crv\"", 1);
    for (header, expected) in [
        (with("typ", json!("application/dpop+JWT")), Ok(())),
        (with("kid", json!("1")), Ok(())),
        (with("jku", json!("https://evil.example/")), Ok(())),
        (with_key("use", json!("sig")), Ok(())),
        (with_key("key_ops", json!(["verify"])), Ok(())),
        (with_key("kid", json!("any")), Ok(())),
        (with("typ", json!(null)), wrong(ProofFault::Type)),
        (with("typ", json!("JWT")), wrong(ProofFault::Type)),
        (with("typ", json!("at+jwt")), wrong(ProofFault::Type)),
        (with("alg", json!(null)), jws(Reason::Header)),
        (with("alg", json!("none")), wrong(ProofFault::Algorithm)),
        (with("alg", json!("HS256")), wrong(ProofFault::Algorithm)),
        (with("alg", json!("ES384")), wrong(ProofFault::Key)),
        (with("alg", json!("RS256")), wrong(ProofFault::Key)),
        (with("crit", json!(["exp"])), jws(Reason::Extension)),
        (with("b64", json!(false)), jws(Reason::Extension)),
        (with("jwk", json!(null)), wrong(ProofFault::KeyMissing)),
        (with("jwk", json!([])), wrong(ProofFault::KeyMissing)),
        (with("jwk", json!({})), wrong(ProofFault::Key)),
        (with("jwk", json!({"kty": "oct", "k": "AAAA"})), wrong(ProofFault::KeyPrivate)),
        (with("jwk", rsa), wrong(ProofFault::Key)),
        (with_key("d", json!(base64url([1; 32]))), wrong(ProofFault::KeyPrivate)),
        (with_key("k", json!("AAAA")), wrong(ProofFault::KeyPrivate)),
        (with_key("use", json!("enc")), wrong(ProofFault::Key)),
        (with_key("alg", json!("ES384")), wrong(ProofFault::Key)),
        (with_key("crv", json!("P-384")), wrong(ProofFault::Key)),
        (with_key("x", json!(base64url([1; 31]))), wrong(ProofFault::Key)),
        (with_key("x", json!(base64url([1; 32]))), wrong(ProofFault::Key)),
        (with_key("y", json!(1)), wrong(ProofFault::Key)),
        (with("jwk", Client::new("ES256").jwk()), Err(BindingFault::Key.into())),
        (key_twice, wrong(ProofFault::KeyMissing)),
    ] {
        let proof = client.sign(&header, &claims(TOKEN, json!({})).to_string());
        assert_eq!(read(&proof, &client.thumbprint(), NOW), expected, "{header}");
    }
}

#[test]
fn the_signature_covers_header_and_claims() {
    let client = Client::new("ES256");
    let good = client.proof(TOKEN, json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let other = client.proof(TOKEN, json!({"jti": "other"}));
    let other: Vec<_> = other.split('.').collect();
    let signature = Err(DpopFault::from(ProofFault::Signature));
    for (proof, expected) in [
        (format!("{}.{}.{}", parts[0], other[1], parts[2]), signature),
        (format!("{}.{}.{}", parts[0], parts[1], other[2]), signature),
        (format!("{}.{}.{}", parts[0], parts[1], base64url([0; 64])), signature),
        (format!("{}.{}.", parts[0], parts[1]), Err(ProofFault::Jws(Reason::Segments).into())),
        (format!("{good}="), Err(ProofFault::Jws(Reason::Segments).into())),
        (format!("{good}, {good}"), Err(ProofFault::Jws(Reason::Segments).into())),
        ("a".repeat(8193), Err(ProofFault::Jws(Reason::TooLarge).into())),
        (String::new(), Err(ProofFault::Jws(Reason::Segments).into())),
    ] {
        assert_eq!(read(&proof, &client.thumbprint(), NOW), expected, "{proof}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_proof_and_none_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        crate::auth::dpop::fuzz(&bytes);
        let expected = Expected { method: "GET", target: None, token: b"t", thumbprint: "" };
        prop_assert!(Proof::read(&bytes, &expected, NOW).is_err());
    }

    #[test]
    fn a_changed_byte_is_never_accepted(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        thread_local! { static CLIENT: Client = Client::new("EdDSA"); }
        CLIENT.with(|client| {
            let good = client.proof(TOKEN, json!({}));
            let mut changed = good.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            if changed != good.as_bytes() {
                let changed = String::from_utf8_lossy(&changed).into_owned();
                prop_assert!(read(&changed, &client.thumbprint(), NOW).is_err(), "{changed}");
            }
            Ok(())
        })?;
    }
}
