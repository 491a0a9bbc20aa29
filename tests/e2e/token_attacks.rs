//! Every known attack on tokens, through HTTP: each is a 401 that tells nothing, reaches nobody and connects nowhere.

mod claims;

use portcullis_tests::guarded::Guarded;
use portcullis_tests::tokens::{SigningKey, Token, base64url, decode, sign_text};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Sends tokens and checks that none of them gets anywhere.
async fn none_passes(guarded: &Guarded, tokens: impl IntoIterator<Item = (String, String)>) {
    let seen = || (guarded.origin.received().len(), guarded.origin.connections());
    let (mut count, before) = (0, seen());
    for (name, token) in tokens {
        let answer = guarded.edge.http().get("/anything").bearer(&token).send().await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        let expected = "error=\"invalid_token\", error_description=\"The token is not valid\"";
        assert!(challenge.contains(expected), "{name}: nobody hears more before a good signature: {challenge}");
        assert_eq!(answer.edge_code(), "token_invalid", "{name}");
        count += 1;
    }
    assert!(count > 0, "a table has rows");
    assert_eq!(seen(), before, "nobody was asked");
    assert_eq!(guarded.edge.http().get("/x").bearer(&guarded.token("alice")).send().await.status, 200, "a good one is");
}

fn named(name: impl ToString, token: String) -> (String, String) {
    (name.to_string(), token)
}

#[tokio::test]
async fn no_algorithm_in_any_case() {
    let guarded = Guarded::start("ES256", "").await;
    let claims = base64url(json!(Token::good(&guarded.key, "alice").claims).to_string());
    let names = ["none", "None", "NONE", "nOnE", "noNe", " none", "none ", "none\0", "", "HS256 ", "es256", "Es256"];
    let tokens = names.into_iter().flat_map(|name| {
        let header = base64url(json!({ "alg": name, "typ": "JWT" }).to_string());
        let zeros = base64url([0; 64]);
        [String::new(), "AAAA".to_owned(), zeros]
            .map(|signature| named(format!("{name:?} {signature}"), format!("{header}.{claims}.{signature}")))
    });
    none_passes(&guarded, tokens).await;
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"] {
        let guarded = Guarded::start(algorithm, "").await;
        let jwk = guarded.key.jwk();
        // As whoever has read the published set would spell it.
        let spellings = [
            jwk.to_string(),
            json!({ "keys": [jwk] }).to_string(),
            serde_json::to_string_pretty(&jwk).expect("JSON"),
            jwk["n"].as_str().or(jwk["x"].as_str()).expect("a number").to_owned(),
        ];
        let raw = ["n", "x"].iter().filter_map(|name| jwk[*name].as_str()).map(decode);
        let secrets = spellings.into_iter().map(String::into_bytes).chain(raw);
        let tokens = secrets.flat_map(|secret| {
            ["HS256", "HS384", "HS512"].map(|hmac| {
                let confused = SigningKey::hmac(&guarded.key.id, hmac, &secret);
                named(format!("{algorithm} as {hmac}"), Token::good(&confused, "alice").sign(&confused))
            })
        });
        none_passes(&guarded, tokens.collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn a_key_serves_one_algorithm_of_its_family() {
    for (own, others) in [("RS256", &["RS384", "RS512", "PS256", "PS384"][..]), ("PS512", &["RS512", "PS256"])] {
        let guarded = Guarded::start(own, "").await;
        let tokens = others.iter().map(|other| {
            // The test's RSA keys share their numbers: a good signature of the same key, under another algorithm.
            let same = SigningKey::new(&guarded.key.id, other);
            named(format!("{own} as {other}"), Token::good(&same, "alice").sign(&same))
        });
        none_passes(&guarded, tokens).await;
    }
}

#[tokio::test]
async fn a_token_brings_no_key_and_names_no_place_to_get_one() {
    let guarded = Guarded::start("ES256", "").await;
    let mallory = SigningKey::new("mallory", "ES256");
    let trap = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/jwks.json", trap.local_addr().expect("an address"));
    let mut tokens = Vec::new();
    for kid in ["first", "mallory"] {
        let token = || Token::good(&mallory, "alice").header("kid", json!(kid));
        for (name, value) in [
            ("jwk", mallory.jwk()),
            ("jku", json!(url)),
            ("x5u", json!(url)),
            ("x5c", json!(["MIIB"])),
            ("iss", json!(url)),
            ("kid", json!(url)),
        ] {
            tokens.push(named(format!("{name} beside {kid}"), token().header(name, value).sign(&mallory)));
        }
        let everything = token().header("jwk", mallory.jwk()).header("jku", json!(url)).header("x5u", json!(url));
        tokens.push(named("all of them", everything.sign(&mallory)));
        let claims = token().claim("iss", json!(url)).claim("jwks_uri", json!(url));
        tokens.push(named("in the claims", claims.sign(&mallory)));
    }
    none_passes(&guarded, tokens).await;
    // Even with a good signature the place is not visited.
    let good = Token::good(&guarded.key, "alice").header("jku", json!(url)).header("x5u", json!(url));
    let _ = guarded.edge.http().get("/x").bearer(&good.sign(&guarded.key)).send().await.expect_status(200);
    let came = futures_util::FutureExt::now_or_never(trap.accept());
    assert!(came.is_none(), "somebody connected to the trap");
}

#[tokio::test]
async fn a_kid_is_a_name_and_nothing_else() {
    let guarded = Guarded::start("ES256", "").await;
    let empty = SigningKey::hmac("x", "HS256", &[0; 32]);
    let kids = [
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!("first' OR '1'='1"),
        json!("x' UNION SELECT 'AAAA"),
        json!("first\0"),
        json!("first\u{0}.pem"),
        json!("FIRST"),
        json!(" first"),
        json!(""),
        json!("$(id)"),
        json!("k".repeat(5000)),
        json!(["first"]),
        json!({ "first": 1 }),
        json!(1),
        json!(true),
    ];
    let null = sign_text(
        r#"{"alg":"ES256","kid":null}"#,
        &json!(Token::good(&guarded.key, "a").claims).to_string(),
        &guarded.key,
    );
    let tokens = kids.into_iter().flat_map(|kid| {
        let label = kid.to_string().chars().take(40).collect::<String>();
        // Also signed with the right key: a name that is wrong names no key.
        [&guarded.key, &empty].map(|key| named(&label, Token::good(key, "alice").header("kid", kid.clone()).sign(key)))
    });
    none_passes(&guarded, tokens.chain([named("null", null)]).collect::<Vec<_>>()).await;
    // Ten thousand bytes are more than any token may have.
    let huge = Token::good(&guarded.key, "alice").header("kid", json!("k".repeat(10_000))).sign(&guarded.key);
    let answer = guarded.edge.http().get("/x").bearer(&huge).send().await;
    assert!(matches!(answer.status.as_u16(), 401 | 431), "{answer:?}");
}

#[tokio::test]
async fn signatures_are_what_the_algorithm_says() {
    for (algorithm, half) in [("ES256", 32), ("ES384", 48), ("ES512", 66), ("EdDSA", 32)] {
        let guarded = Guarded::start(algorithm, "").await;
        let good = guarded.token("alice");
        let (signed, signature) = good.rsplit_once('.').expect("a signature");
        let raw = decode(signature);
        let (r, s) = raw.split_at(half);
        let zeros = || vec![0; half];
        let order = match algorithm {
            "ES256" => decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"),
            _ => vec![0xff; half],
        };
        let der = |r: &[u8], s: &[u8]| {
            let integer = |n: &[u8]| [vec![2, u8::try_from(n.len() + 1).expect("short"), 0], n.to_vec()].concat();
            let both = [integer(r), integer(s)].concat();
            [vec![0x30, 0x81, u8::try_from(both.len()).expect("short")], both].concat()
        };
        let forged = [
            // CVE-2022-21449.
            ("psychic: r and s are 0", [zeros(), zeros()].concat()),
            ("r is 0", [zeros(), s.to_vec()].concat()),
            ("s is 0", [r.to_vec(), zeros()].concat()),
            ("r and s are the order", [order.clone(), order.clone()].concat()),
            ("r is 0, s is the order", [zeros(), order].concat()),
            ("r and s are 1", [one(half), one(half)].concat()),
            ("DER", der(r, s)),
            ("swapped", [s, r].concat()),
            ("too short", raw[1..].to_vec()),
            ("too long", [&raw[..], &[0]].concat()),
            ("with zeros before", [&[0][..], r, &[0], s].concat()),
            ("twice", [&raw[..], &raw].concat()),
            ("one bit", raw.iter().enumerate().map(|(at, byte)| if at == 7 { byte ^ 1 } else { *byte }).collect()),
        ];
        let tokens =
            forged.map(|(name, bytes)| named(format!("{algorithm} {name}"), format!("{signed}.{}", base64url(bytes))));
        none_passes(&guarded, tokens).await;
    }
}

fn one(bytes: usize) -> Vec<u8> {
    let mut number = vec![0; bytes];
    number[bytes - 1] = 1;
    number
}

#[tokio::test]
async fn members_are_there_once() {
    let guarded = Guarded::start("EdDSA", "").await;
    let key = &guarded.key;
    let header = json!({ "alg": "EdDSA", "kid": key.id }).to_string();
    let claims = json!(Token::good(key, "alice").claims).to_string();
    let doubled = |text: &str, member: &str| {
        [text.replacen('{', &format!("{{{member},"), 1), text.replace('}', &format!(",{member}}}"))]
    };
    let headers = [r#""alg":"EdDSA""#, r#""alg":"none""#, r#""kid":"first""#, r#""kid":"x""#, r#""\u0061lg":"EdDSA""#];
    let in_header = headers
        .iter()
        .flat_map(|member| doubled(&header, member))
        .map(|header| named(&header, sign_text(&header, &claims, key)));
    let members = [
        r#""sub":"mallory""#,
        r#""sub":"alice""#,
        r#""exp":9999999999"#,
        r#""iss":"https://issuer.test""#,
        r#""aud":"api""#,
        r#""\u0065xp":1"#,
    ];
    let in_claims = members.iter().flat_map(|member| doubled(&claims, member));
    let in_claims = in_claims.map(|claims| named(&claims, sign_text(&header, &claims, key)));
    none_passes(&guarded, in_header.chain(in_claims).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn extensions_that_change_the_meaning_are_refused() {
    let guarded = Guarded::start("EdDSA", "").await;
    let with = |name: &str, value: Value| Token::good(&guarded.key, "alice").header(name, value);
    let key = &guarded.key;
    let tokens = [
        ("crit unknown", with("crit", json!(["x"])).header("x", json!(1))),
        ("crit empty", with("crit", json!([]))),
        ("crit of a registered name", with("crit", json!(["alg"]))),
        ("crit of exp", with("crit", json!(["exp"])).header("exp", json!(9_999_999_999_u64))),
        ("crit of b64", with("crit", json!(["b64"])).header("b64", json!(true))),
        ("crit is text", with("crit", json!("b64"))),
        ("crit is an object", with("crit", json!({}))),
        ("b64 false", with("b64", json!(false)).header("crit", json!(["b64"]))),
        ("b64 false, unlisted", with("b64", json!(false))),
        ("zip", with("zip", json!("DEF"))),
        ("enc", with("enc", json!("A256GCM")).header("alg", json!("dir"))),
        ("nested", with("cty", json!("JWT"))),
        ("nested, spelled out", with("cty", json!("application/jwt"))),
    ];
    none_passes(&guarded, tokens.map(|(name, token)| named(name, token.sign(key)))).await;
    // The payload as it is, in place of its base64url (RFC 7797): dots and braces are no segment.
    let claims = json!(Token::good(key, "alice").claims).to_string();
    let header = base64url(r#"{"alg":"EdDSA","b64":false,"crit":["b64"]}"#);
    let signature = base64url(key.sign(format!("{header}.{claims}").as_bytes()));
    none_passes(
        &guarded,
        [
            named("unencoded", format!("{header}.{claims}.{signature}")),
            named("detached", format!("{header}..{signature}")),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_token_has_one_spelling() {
    let guarded = Guarded::start("EdDSA", "").await;
    let good = guarded.token("alice");
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { unreachable!("three parts") };
    // 64 bytes leave four unused bits in the last of 86 digits.
    let last = signature.chars().last().expect("a digit");
    let unused = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        .chars()
        .position(|c| c == last)
        .expect("base64url");
    let other =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().nth(unused | 1).expect("a digit");
    let tokens = [
        ("padding", format!("{good}==")),
        ("padding within", format!("{header}==.{claims}.{signature}")),
        ("unused bits", format!("{header}.{claims}.{}{other}", &signature[..signature.len() - 1])),
        ("a space", format!("{header}. {claims}.{signature}")),
        ("a space in a segment", format!("{header}.{claims}.{} {}", &signature[..9], &signature[9..])),
        ("a tab", format!("{header}\t.{claims}.{signature}")),
        ("plus", format!("{header}.{claims}.+{}", &signature[1..])),
        ("slash", format!("{header}.{claims}./{}", &signature[1..])),
        ("question mark", format!("{header}.{claims}.?{}", &signature[1..])),
        ("percent", format!("{header}.{claims}.%41{}", &signature[1..])),
        ("a comma", format!("{good},{good}")),
        ("quotes", format!("\"{good}\"")),
        ("five parts", format!("{good}.x.y")),
        ("a final dot", format!("{good}.")),
        ("a first dot", format!(".{good}")),
        ("two dots", format!("{header}..{claims}.{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("only dots", "..".to_owned()),
        ("five thousand dots", ".".repeat(5000)),
        ("JSON", json!({ "protected": header, "payload": claims, "signature": signature }).to_string()),
        ("not ASCII", "\u{e9}.\u{e9}.\u{e9}".to_owned()),
    ];
    none_passes(&guarded, tokens.map(|(name, token)| named(name, token))).await;
    let answer = guarded.edge.http().get("/x").bearer(&".".repeat(10_000)).send().await;
    assert!(matches!(answer.status.as_u16(), 401 | 431), "ten thousand dots: {answer:?}");
}
