//! Wycheproof and the JOSE cookbook, where they are at hand.

use crate::auth::keys::jwk::{Origin, load_set};
use crate::auth::token::{CompactJws, Header};
use crate::config::Algorithm;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ALL: [Algorithm; 13] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
];

/// Wycheproof's entries that are wrong themselves. 346 and 350 are PS384 tokens under a key for PS256, 347 and 351
/// have a key with the algorithm "ES521", 372 and 373 contain `?`: called valid, refused here. 367 and 370 are
/// byte for byte the valid 357: called invalid, accepted here.
const WRONG_ENTRIES: [u64; 8] = [346, 347, 350, 351, 367, 370, 372, 373];

fn vectors() -> Option<PathBuf> {
    let directory = std::env::var_os("PORTCULLIS_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), PathBuf::from);
    if directory.is_dir() {
        return Some(directory);
    }
    println!("SKIPPED: no token vectors in {}", directory.display());
    None
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// The verifier without claims: vectors have payloads such as "foo".
fn accepts(set: &Value, token: &str, algorithms: &[Algorithm]) -> bool {
    let verify = || {
        let jws = CompactJws::parse(token.as_bytes()).ok()?;
        let header = Header::parse(&jws.header).ok()?;
        let (keys, _) = load_set(set.to_string().as_bytes(), Origin::File, algorithms).ok()?;
        keys.verify_signature(&jws, &header).ok().map(|_| ())
    };
    verify().is_some()
}

/// Runs a file; returns how many cases it has and which of them differ.
fn run(file: &str) -> Option<(usize, BTreeSet<u64>)> {
    let groups = read(&vectors()?.join(file));
    let mut count = 0;
    let mut differ = BTreeSet::new();
    for group in groups["testGroups"].as_array().expect("groups") {
        let key = group.get("public").unwrap_or(&group["private"]);
        let set = if key.get("keys").is_some() { key.clone() } else { json!({"keys": [key]}) };
        for case in group["tests"].as_array().expect("cases").iter().filter(|case| case.get("jws").is_some()) {
            count += 1;
            // The JSON serialisation is an object; only the compact one is a token.
            let accepted = case["jws"].as_str().is_some_and(|token| accepts(&set, token, &ALL));
            if accepted != (case["result"] == "valid") {
                differ.insert(case["tcId"].as_u64().expect("an id"));
            }
        }
    }
    Some((count, differ))
}

#[test]
fn wycheproof_signatures_differ_only_where_the_vectors_are_wrong() {
    let Some((count, differ)) = run("wycheproof_json_web_signature_test.json") else { return };
    assert_eq!(count, 401);
    assert_eq!(differ, BTreeSet::from(WRONG_ENTRIES));
}

#[test]
fn wycheproof_keys() {
    let Some(result) = run("wycheproof_json_web_key_test.json") else { return };
    assert_eq!(result, (26, BTreeSet::new()));
}

#[test]
fn wycheproof_crypto_signatures() {
    let Some(result) = run("wycheproof_json_web_crypto_test.json") else { return };
    // 48 compact ones, and one in the JSON serialisation that must be refused.
    assert_eq!(result, (49, BTreeSet::new()));
}

/// The key or keys of an example; those of JWEs are no keys for signatures, whatever they are.
fn keys_of(example: &Value) -> Value {
    match &example["input"]["key"] {
        Value::Array(many) => json!({ "keys": many }),
        one => json!({ "keys": [one] }),
    }
}

/// All 32 examples: five are tokens as they are used here. The rest is encrypted, detached, unencoded, or in the JSON
/// serialisation, and none of it may pass for one.
#[test]
fn cookbook() {
    let Some(directory) = vectors() else { return };
    let (mut examples, mut forms, mut accepted) = (0, 0, BTreeSet::new());
    for entry in std::fs::read_dir(directory.join("cookbook")).expect("the cookbook") {
        let path = entry.expect("an entry").path();
        let example = read(&path);
        examples += 1;
        for form in ["compact", "json", "json_flat"].iter().filter_map(|form| example["output"].get(form)) {
            forms += 1;
            let token = form.as_str().map_or_else(|| form.to_string(), str::to_owned);
            if accepts(&keys_of(&example), &token, &ALL) {
                accepted.insert(path.file_stem().expect("a name").to_string_lossy().into_owned());
            }
        }
    }
    let tokens = [
        "curve25519_jws",
        "jws_4_1.rsa_v15_signature",
        "jws_4_2.rsa-pss_signature",
        "jws_4_3.ecdsa_signature",
        "jws_4_4.hmac-sha2_integrity_protection",
    ];
    // RSA keys without `alg` are bound to the first algorithm that fits: PS384 needs to be that one.
    let pss = read(&directory.join("cookbook/jws_4_2.rsa-pss_signature.json"));
    let token = pss["output"]["compact"].as_str().expect("a compact token");
    assert!(!accepted.contains(tokens[2]) && accepts(&keys_of(&pss), token, &[Algorithm::PS384]));
    accepted.insert(tokens[2].to_owned());
    assert_eq!((examples, accepted), (32, tokens.map(str::to_owned).into()));
    assert!(forms > 60, "{forms} spellings were tried");
}

#[test]
fn cookbook_keys() {
    let Some(directory) = vectors() else { return };
    for (file, usable) in [
        ("jwk_3_1.ec_public_key", true),
        ("jwk_3_2.ec_private_key", true),
        ("jwk_3_3.rsa_public_key", true),
        ("jwk_3_4.rsa_private_key", true),
        ("jwk_3_5.symmetric_key_mac_computation", true),
        ("jwk_3_6.symmetric_key_encryption", false),
    ] {
        let key = read(&directory.join(format!("cookbook/{file}.json")));
        let set = json!({ "keys": [key] }).to_string();
        assert_eq!(load_set(set.as_bytes(), Origin::File, &ALL).is_ok(), usable, "{file}");
        let public = usable && key.get("d").is_none() && key["kty"] != "oct";
        assert_eq!(load_set(set.as_bytes(), Origin::Remote, &ALL).is_ok(), public, "{file}, published");
    }
}
