//! JSON Web Token Best Current Practices (RFC 8725, BCP 225): a test for each section of its list.

use portcullis_tests::edge::Edge;
use portcullis_tests::exchange::ok;
use portcullis_tests::guarded::Guarded;
use portcullis_tests::origin::Origin;
use portcullis_tests::tokens::{SigningKey, Token, base64url, jwk_set, sign_text};
use serde_json::{Value, json};
use tempfile::TempDir;

async fn status(guarded: &Guarded, token: &str) -> u16 {
    guarded.edge.http().get("/x").bearer(token).send().await.status.as_u16()
}

/// What `portcullis check` says of an issuer.
fn check(issuer: &str, keys: &Value) -> Result<(), String> {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("jwks.json"), keys.to_string()).expect("keys");
    let text = format!(
        "[listener.http]\naddress = \"127.0.0.1:0\"\n[[route]]\nmatch = \"/**\"\nrespond = {{ body = \"x\" }}\n\
         [issuer.test]\niss = \"https://issuer.test\"\n{issuer}\n"
    )
    .replace("{folder}", folder.path().to_str().expect("UTF-8"));
    let config = portcullis::config::load_str("test.toml", &text, &|_| None, folder.path())
        .map_err(|error| error.to_string())?;
    let snapshot = portcullis::snapshot::Snapshot::build(config.into(), None);
    snapshot.map(drop).map_err(|error| error.to_string())
}

/// 3.1: the algorithm is the one that the key is for, whatever the token says.
#[tokio::test]
async fn section_3_1_perform_algorithm_verification() {
    let guarded = Guarded::start("RS256", "").await;
    let claims = json!(Token::good(&guarded.key, "alice").claims).to_string();
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256", "none"] {
        let header = json!({ "alg": algorithm, "kid": guarded.key.id }).to_string();
        let expected = if algorithm == "RS256" { 200 } else { 401 };
        assert_eq!(status(&guarded, &sign_text(&header, &claims, &guarded.key)).await, expected, "{algorithm}");
    }
}

/// 3.2: none and what is unknown can't be configured; no key may be used with an algorithm that is not listed.
#[tokio::test]
async fn section_3_2_use_appropriate_algorithms() {
    let keys = json!({ "keys": [SigningKey::new("k", "ES256").jwk()] });
    let issuer = |algorithm: &str| {
        format!(
            "audiences = [\"api\"]\nalgorithms = [\"{algorithm}\"]\nkeys = {{ jwks_file = \"{{folder}}/jwks.json\" }}"
        )
    };
    assert_eq!(check(&issuer("ES256"), &keys), Ok(()));
    for (algorithm, why) in [
        ("none", "no signature algorithm"),
        ("HS1", "no signature algorithm"),
        ("RSA1_5", "no signature algorithm"),
        ("ES256K", "no signature algorithm"),
        ("ES384", "fit no key"),
        ("HS256", "needs a shared secret"),
    ] {
        let problem = check(&issuer(algorithm), &keys).expect_err(algorithm);
        assert!(problem.contains(why), "{algorithm}: {problem}");
    }
}

/// 3.3: a token inside a token would need a validation of its own, so none is taken for the outer one.
#[tokio::test]
async fn section_3_3_validate_all_cryptographic_operations() {
    let guarded = Guarded::start("EdDSA", "").await;
    let inner = guarded.token("alice");
    for cty in ["JWT", "jwt", "application/jwt", "application/JWT"] {
        let header = json!({ "alg": "EdDSA", "kid": "first", "cty": cty }).to_string();
        assert_eq!(status(&guarded, &sign_text(&header, &inner, &guarded.key)).await, 401, "{cty}");
    }
    // Every part counts: none may be of another token.
    let other = guarded.token("mallory");
    let (inner, other): (Vec<_>, Vec<_>) = (inner.split('.').collect(), other.split('.').collect());
    assert_eq!(status(&guarded, &format!("{}.{}.{}", inner[0], other[1], inner[2])).await, 401);
    assert_eq!(status(&guarded, &format!("{}.{}.{}", inner[0], inner[1], other[2])).await, 401);
}

/// 3.4: points are on their curve and numbers have their length, or the key is not used.
#[tokio::test]
async fn section_3_4_validate_cryptographic_inputs() {
    let key = SigningKey::new("k", "ES256");
    let issuer = "audiences = [\"api\"]\nalgorithms = [\"ES256\"]\nkeys = { jwks_file = \"{folder}/jwks.json\" }";
    let changed = |name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        json!({ "keys": [jwk] })
    };
    assert_eq!(check(issuer, &json!({ "keys": [key.jwk()] })), Ok(()));
    let x = key.jwk()["x"].as_str().expect("a coordinate").to_owned();
    for (name, value) in [
        ("y", json!(x)),
        ("x", json!(base64url([0; 32]))),
        ("y", json!(base64url([0; 32]))),
        ("x", json!(base64url([0xff; 32]))),
        ("x", json!(base64url([1; 31]))),
        ("x", json!(format!("AA{x}"))),
        ("x", json!("")),
    ] {
        let problem = check(issuer, &changed(name, value.clone())).expect_err("a bad point");
        assert!(problem.contains("no usable key"), "{name} {value}: {problem}");
    }
}

/// 3.5: a secret is as long as the hash, an RSA key has 2048 bits.
#[tokio::test]
async fn section_3_5_ensure_that_keys_have_sufficient_entropy() {
    let nothing = json!({});
    for (algorithm, bytes, sound) in [
        ("HS256", 32, true),
        ("HS256", 31, false),
        ("HS384", 47, false),
        ("HS512", 63, false),
        ("HS512", 64, true),
        ("HS256", 7, false),
    ] {
        let issuer = format!(
            "audiences = [\"api\"]\nalgorithms = [\"{algorithm}\"]\nkeys = {{ secret = \"{}\" }}",
            "s".repeat(bytes)
        );
        let found = check(&issuer, &nothing);
        assert_eq!(found.is_ok(), sound, "{algorithm} {bytes}: {found:?}");
        assert!(sound || found.is_err_and(|problem| problem.contains("needs at least") && !problem.contains("ssss")));
    }
    let mut short = SigningKey::new("k", "RS256").jwk();
    short["n"] = json!(base64url([0xc5; 128]));
    let issuer = "audiences = [\"api\"]\nalgorithms = [\"RS256\"]\nkeys = { jwks_file = \"{folder}/jwks.json\" }";
    assert!(check(issuer, &json!({ "keys": [short] })).is_err());
}

/// 3.6: what is compressed or encrypted is no token here.
#[tokio::test]
async fn section_3_6_avoid_compression_of_encryption_inputs() {
    let guarded = Guarded::start("EdDSA", "").await;
    let zip = Token::good(&guarded.key, "alice").header("zip", json!("DEF")).sign(&guarded.key);
    assert_eq!(status(&guarded, &zip).await, 401);
    // Five parts: a JWE (RFC 7516).
    let header = base64url(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#);
    assert_eq!(status(&guarded, &format!("{header}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA")).await, 401);
}

/// 3.7: UTF-8 and nothing else, in header and claims.
#[tokio::test]
async fn section_3_7_use_utf_8() {
    let guarded = Guarded::start("EdDSA", "").await;
    let claims = json!(Token::good(&guarded.key, "SUBJECT").claims).to_string();
    let utf_16: Vec<u8> = claims.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with = |subject: &[u8]| {
        let (before, after) = claims.split_once("SUBJECT").expect("a subject");
        [before.as_bytes(), subject, after.as_bytes()].concat()
    };
    let sign = |header: &[u8], claims: &[u8]| {
        let signed = format!("{}.{}", base64url(header), base64url(claims));
        format!("{signed}.{}", base64url(guarded.key.sign(signed.as_bytes())))
    };
    let header = br#"{"alg":"EdDSA"}"#;
    assert_eq!(status(&guarded, &sign(header, &with("\u{e4}lice".as_bytes()))).await, 200);
    for (name, token) in [
        ("Latin-1", sign(header, &with(b"\xe4lice"))),
        ("an overlong slash", sign(header, &with(b"\xc0\xaf"))),
        ("a surrogate", sign(header, &with(b"\xed\xa0\x80"))),
        ("UTF-16", sign(header, &utf_16)),
        ("a mark of byte order", sign(header, &[b"\xef\xbb\xbf", claims.as_bytes()].concat())),
        ("in the header", sign(b"{\"alg\":\"EdDSA\",\"x\":\"\xff\"}", claims.as_bytes())),
    ] {
        assert_eq!(status(&guarded, &token).await, 401, "{name}");
    }
}

/// 3.8: the issuer's keys are the issuer's, and a subject is one of its subjects.
#[tokio::test]
async fn section_3_8_validate_issuer_and_subject() {
    let two = TwoIssuers::start().await;
    let token = |key: &SigningKey, iss: &str| Token::good(key, "alice").claim("iss", json!(iss)).sign(key);
    for (key, iss, expected) in [
        (&two.ann, "https://ann.test", 200),
        (&two.bob, "https://bob.test", 200),
        (&two.ann, "https://bob.test", 401),
        (&two.bob, "https://ann.test", 401),
        (&two.ann, "https://ann.test/", 401),
        (&two.ann, "https://ANN.test", 401),
        (&two.ann, "https://issuer.test", 401),
    ] {
        assert_eq!(two.status(&token(key, iss)).await, expected, "{} as {iss}", key.id);
    }
    assert_eq!(
        two.status(&Token::good(&two.ann, "").claim("iss", json!("https://ann.test")).sign(&two.ann)).await,
        401
    );
    for (subject, iss, key) in [("alice", "https://ann.test", &two.ann), ("alice", "https://bob.test", &two.bob)] {
        assert_eq!(two.status(&Token::good(key, subject).claim("iss", json!(iss)).sign(key)).await, 200);
        // The same name from another issuer is another user, and the application is told which.
        assert_eq!(two.origin.last().head.all("x-auth-issuer").collect::<Vec<_>>(), [iss]);
    }
}

/// 3.9: a token for somebody else is nothing here, and an issuer without audiences is a mistake.
#[tokio::test]
async fn section_3_9_use_and_validate_audience() {
    let guarded = Guarded::start("EdDSA", "").await;
    for (audience, expected) in [
        (json!("api"), 200),
        (json!(["other", "api"]), 200),
        (json!("other"), 401),
        (json!(["other"]), 401),
        (json!([]), 401),
        (json!(""), 401),
        (json!("ap"), 401),
        (json!("API"), 401),
        (json!(["api", 1]), 401),
        (json!({ "api": true }), 401),
        (Value::Null, 401),
    ] {
        let token = Token::good(&guarded.key, "alice").claim("aud", audience.clone()).sign(&guarded.key);
        assert_eq!(status(&guarded, &token).await, expected, "{audience}");
    }
    let keys = json!({ "keys": [guarded.key.jwk()] });
    let unbound = "algorithms = [\"EdDSA\"]\nkeys = { jwks_file = \"{folder}/jwks.json\" }";
    let problem = check(unbound, &keys).expect_err("any audience");
    assert!(problem.contains("has no `audiences`"), "{problem}");
    assert_eq!(
        check(&format!("{unbound}\nrequire = [\"exp\", \"iss\", \"sub\"]"), &keys),
        Ok(()),
        "an explicit waiver"
    );
}

/// 3.10: nothing in a token is a place to look, and a key's name is compared and no more.
#[tokio::test]
async fn section_3_10_do_not_trust_received_claims() {
    let guarded = Guarded::start("EdDSA", "").await;
    let mallory = SigningKey::new("mallory", "EdDSA");
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/key.pem")),
        ("jwk", mallory.jwk()),
        ("kid", json!("../../jwks.json")),
        ("kid", json!("' OR 1=1 --")),
    ] {
        let token = Token::good(&mallory, "alice").header(name, value.clone()).sign(&mallory);
        assert_eq!(status(&guarded, &token).await, 401, "{name} {value}");
    }
    assert!(guarded.origin.received().is_empty());
}

/// 3.11: a token of another type is none of ours.
#[tokio::test]
async fn section_3_11_use_explicit_typing() {
    let guarded = Guarded::start("EdDSA", "types = [\"at+jwt\"]").await;
    for (typ, expected) in [
        (json!("at+jwt"), 200),
        (json!("AT+JWT"), 200),
        (json!("application/at+jwt"), 200),
        (json!("JWT"), 401),
        (json!("secevent+jwt"), 401),
        (json!("dpop+jwt"), 401),
        (json!("edge-assertion+jwt"), 401),
        (json!("logout+jwt"), 401),
        (json!(""), 401),
        (json!(["at+jwt"]), 401),
    ] {
        let token = Token::good(&guarded.key, "alice").header("typ", typ.clone()).sign(&guarded.key);
        assert_eq!(status(&guarded, &token).await, expected, "{typ}");
    }
}

/// 3.12: a token made for one purpose does not pass for another: refresh for access, one audience's for another's.
#[tokio::test]
async fn section_3_12_use_mutually_exclusive_validation_rules() {
    let guarded = Guarded::start("EdDSA", "must = { token_type = \"access\" }").await;
    for (kind, expected) in [("access", 200), ("refresh", 401), ("sliding", 401), ("", 401)] {
        let token = Token::good(&guarded.key, "alice").claim("token_type", json!(kind)).sign(&guarded.key);
        assert_eq!(status(&guarded, &token).await, expected, "{kind}");
    }
    // The edge's own assertions, should one ever leak, are signed with another key and have another type.
    let token = Token::good(&guarded.key, "alice").claim("token_type", json!("access")).sign(&guarded.key);
    let _ = guarded.edge.http().get("/x").bearer(&token).send().await.expect_status(200);
    let assertion = guarded.origin.last().head.field("x-auth-assertion").expect("an assertion").to_owned();
    assert_eq!(status(&guarded, &assertion).await, 401);
}

/// An edge that believes two issuers on one route.
struct TwoIssuers {
    edge: Edge,
    origin: portcullis_tests::origin::Answering,
    ann: SigningKey,
    bob: SigningKey,
}

impl TwoIssuers {
    async fn start() -> Self {
        let (ann, bob) = (SigningKey::new("k", "EdDSA"), SigningKey::new("k", "EdDSA"));
        let origin = Origin::start().await.always(ok("ok"));
        let folder = TempDir::new().expect("a folder");
        let mut config = format!(
            "[listener.http]\naddress = \"127.0.0.1:0\"\n[upstream.app]\nendpoints = [\"{}\"]\n\
             [[route]]\nmatch = \"/**\"\nforward = \"app\"\n",
            origin.endpoint()
        );
        for (name, key) in [("ann", &ann), ("bob", &bob)] {
            std::fs::write(folder.path().join(format!("{name}.json")), jwk_set(&[key])).expect("keys");
            config.push_str(&format!(
                "[issuer.{name}]\niss = \"https://{name}.test\"\naudiences = [\"api\"]\nalgorithms = [\"EdDSA\"]\n\
                 keys = {{ jwks_file = \"{{folder}}/{name}.json\" }}\n"
            ));
        }
        Self { edge: Edge::start_in(folder, &config).await, origin, ann, bob }
    }

    async fn status(&self, token: &str) -> u16 {
        self.edge.http().get("/x").bearer(token).send().await.status.as_u16()
    }
}
