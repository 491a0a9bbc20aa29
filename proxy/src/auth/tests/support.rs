//! Issuers that sign with keys of their own, and the configuration that believes them.

use crate::auth::{Issuers, Permit, Presented, Refusal, RouteRule, TokenCache};
use crate::config::{
    self, Algorithm, AuthMode, CsrfProof, DpopMode, ErrorShape, Keys, RequiredClaim, Revocation, RouteAuth, TokenSource,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of every test, in seconds since 1970.
pub(in crate::auth) const NOW: u64 = 1_800_000_000;

/// An Ed25519 key with a name.
pub(in crate::auth) struct Signer {
    pub(in crate::auth) kid: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    pub(in crate::auth) fn new(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Ed25519KeyPair::generate().expect("a key") }
    }

    pub(in crate::auth) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x})
    }

    /// A token with this header and these claims, signed whatever they say.
    pub(in crate::auth) fn sign_raw(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    pub(in crate::auth) fn sign(&self, claims: &Value) -> String {
        self.sign_raw(&json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid}).to_string(), &claims.to_string())
    }
}

/// Good claims, with changes; `null` removes one.
pub(in crate::auth) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.example", "aud": "notes", "sub": "ann", "jti": "t1", "sid": "s1",
        "iat": NOW - 10, "exp": NOW + 290, "scope": "notes:read notes:write", "roles": ["editor"],
    });
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(in crate::auth) fn set_of(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

/// A file that lives as long as the test's directory.
pub(in crate::auth) fn file(directory: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

pub(in crate::auth) fn issuer(keys: Keys) -> config::Issuer {
    config::Issuer {
        name: "id".into(),
        iss: Some("https://id.example".into()),
        keys,
        algorithms: vec![Algorithm::EdDSA],
        types: vec!["jwt".into(), "at+jwt".into()],
        audiences: vec!["notes".into(), "mail".into()],
        leeway: Duration::from_secs(30),
        lifetime_max: Duration::from_secs(24 * 60 * 60),
        require: vec![RequiredClaim::Exp, RequiredClaim::Iss, RequiredClaim::Aud, RequiredClaim::Sub],
        subject_claim: "sub".into(),
        must: Default::default(),
        revocations: None,
        errors: ErrorShape::Problem,
        realm: "id".into(),
    }
}

pub(in crate::auth) fn route() -> RouteAuth {
    RouteAuth {
        revocation: Revocation::BestEffort,
        mode: AuthMode::Required,
        issuers: vec!["id".into()],
        audiences: Vec::new(),
        claims: Vec::new(),
        token_from: vec![TokenSource::Header],
        forward_token: false,
        csrf: CsrfProof::Token,
        allowed_origins: Vec::new(),
        dpop: DpopMode::Off,
        dpop_nonce: false,
    }
}

/// One issuer with a static set of one key, and a route that believes it.
pub(in crate::auth) fn rule_with(
    signer: &Signer,
    issuer_is: impl FnOnce(&mut config::Issuer),
    auth: &RouteAuth,
) -> RouteRule {
    let directory = tempfile::tempdir().expect("a directory");
    let mut issuer = issuer(Keys::JwksFile { path: file(&directory, "jwks.json", &set_of(&[signer])) });
    issuer_is(&mut issuer);
    let issuers = Issuers::build(&[issuer], None).expect("issuers");
    RouteRule::new(auth, &issuers).expect("a rule")
}

pub(in crate::auth) fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::try_from(format!("Bearer {token}")).expect("a value"));
    headers
}

/// A GET with these fields, from a client with an address, over TLS.
pub(in crate::auth) fn presented(headers: &HeaderMap) -> Presented<'_> {
    static AUTHORITY: HeaderValue = HeaderValue::from_static("notes.example");
    Presented {
        method: &Method::GET,
        headers,
        path: "/notes",
        query: None,
        client: Some(std::net::IpAddr::from([192, 0, 2, 1])),
        https: true,
        authority: &AUTHORITY,
        websocket: false,
    }
}

pub(in crate::auth) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Asks a rule about a token without a cache.
pub(in crate::auth) async fn ask(rule: &RouteRule, token: &str) -> Result<Permit, Refusal> {
    rule.authorize(presented(&bearer(token)), &TokenCache::new(0), at(NOW)).await
}
