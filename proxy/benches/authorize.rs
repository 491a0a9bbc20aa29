//! What the auth rule costs a request, in one process and in interleaved rounds: a token that nobody has seen before
//! against the bare verification of its signature, and one that was verified a moment ago against a public route.
//!
//! `make bench-auth`; `tests/bench/README.md` says how to read it.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis::auth::{Issuers, Presented, RouteRule, TokenCache};
use portcullis::config;
use std::error::Error;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Different tokens; each round verifies all of them.
const TOKENS: usize = 256;
const ROUNDS: usize = 101;

/// What a stranger's token may cost, as a multiple of the bare verification.
const COLD_MAX: f64 = 1.15;
/// What a known token may add to a public route, in microseconds.
const KNOWN_US_MAX: f64 = 2.0;

const CONFIG: &str = r#"
[listener.http]
address = "127.0.0.1:0"

[issuer.bench]
iss = "https://bench.example"
audiences = ["api"]
algorithms = ["ES256"]
keys = { pem_file = "key.pem" }

[[route]]
match = "/closed"
claims = [{ path = "/scope", contains_word = "notes:read" }]
respond = { body = "" }

[[route]]
match = "/open"
auth = "public"
respond = { body = "" }
"#;

struct Bench {
    closed: RouteRule,
    open: RouteRule,
    requests: Vec<HeaderMap>,
    bare: ParsedPublicKey,
    /// Signing input and signature of each token.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
    now: SystemTime,
}

impl Bench {
    fn prepare() -> Result<Self, Box<dyn Error>> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("key.pem"), pair.public_key_pem())?;
        let config =
            config::load_str("bench.toml", CONFIG, &|_| None, folder.path()).map_err(|error| error.to_string())?;
        let issuers = Issuers::build(&config.issuers, None)?;
        let rule = |index: usize| RouteRule::new(&config.routes[index].policy.auth, &issuers);
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH)?.as_secs();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes())?;
        let (mut requests, mut signed) = (Vec::new(), Vec::new());
        for user in 0..TOKENS {
            let claims = serde_json::json!({
                "iss": "https://bench.example", "aud": "api", "sub": format!("user-{user}"), "iat": seconds,
                "exp": seconds + 3600, "jti": format!("0f2a6c1e5d7b4e3f9a8b7c6d{user:08x}"),
                "scope": "notes:read notes:write",
            });
            let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key)?;
            let (input, signature) = token.rsplit_once('.').ok_or("a token has parts")?;
            signed.push((input.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature)?));
            let mut headers = HeaderMap::new();
            headers.insert("user-agent", HeaderValue::from_static("bench"));
            headers.insert("authorization", HeaderValue::try_from(format!("Bearer {token}"))?);
            requests.push(headers);
        }
        let bare = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, rcgen::PublicKeyData::der_bytes(&pair))?;
        Ok(Self { closed: rule(0)?, open: rule(1)?, requests, bare, signed, now })
    }

    fn bare(&self) -> Result<(), Box<dyn Error>> {
        for (input, signature) in &self.signed {
            black_box(self.bare.verify_sig(black_box(input), black_box(signature)))?;
        }
        Ok(())
    }

    fn authorize(&self, rule: &RouteRule, cache: &TokenCache) -> Result<(), Box<dyn Error>> {
        let authority = HeaderValue::from_static("bench.example");
        for headers in &self.requests {
            let request = Presented {
                method: &Method::GET,
                headers,
                query: None,
                client: Some([192, 0, 2, 1].into()),
                https: true,
                authority: &authority,
                websocket: false,
            };
            let permit =
                rule.authorize(black_box(request), cache, self.now).now_or_never().ok_or("keys are at hand")?;
            black_box(permit).map_err(|refusal| refusal.log_reason())?;
        }
        Ok(())
    }
}

/// Microseconds for one token.
fn timed(what: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    what()?;
    let tokens = u32::try_from(TOKENS)?;
    Ok((started.elapsed() / tokens).as_secs_f64() * 1e6)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Box<dyn Error>> {
    let bench = Bench::prepare()?;
    let (none, warm) = (TokenCache::new(0), TokenCache::new(16 << 20));
    bench.authorize(&bench.closed, &warm)?;
    let mut rounds = Vec::new();
    let until = Instant::now() + Duration::from_secs(50);
    while rounds.len() < ROUNDS && Instant::now() < until {
        // There and back, so that what drifts meets both.
        let bare = timed(|| bench.bare())?;
        let cold = timed(|| bench.authorize(&bench.closed, &none))? + timed(|| bench.authorize(&bench.closed, &none))?;
        let bare = (bare + timed(|| bench.bare())?) / 2.0;
        let open = timed(|| bench.authorize(&bench.open, &warm))?;
        let known = timed(|| bench.authorize(&bench.closed, &warm))?;
        rounds.push([bare, cold / 2.0, open, known]);
    }
    let of = |value: fn(&[f64; 4]) -> f64| median(rounds.iter().map(value).collect());
    let ratio = of(|[bare, cold, ..]| cold / bare);
    let added = of(|[_, _, open, known]| known - open);
    let verdict = |is_met: bool| if is_met { "met" } else { "**missed**" };
    let text = format!(
        "{} rounds of {TOKENS} tokens, medians in microseconds\n\
         | what | µs | | target |\n|---|---|---|---|\n\
         | bare ES256 verification | {:.2} | | |\n\
         | the rule, a stranger's token | {:.2} | × {ratio:.3} | ≤ {COLD_MAX} {} |\n\
         | the rule of a public route | {:.3} | | |\n\
         | the rule, a known token | {:.3} | + {added:.3} | ≤ {KNOWN_US_MAX} {} |\n",
        rounds.len(),
        of(|round| round[0]),
        of(|round| round[1]),
        verdict(ratio <= COLD_MAX),
        of(|round| round[2]),
        of(|round| round[3]),
        verdict(added <= KNOWN_US_MAX),
    );
    std::io::stdout().write_all(text.as_bytes())?;
    if cfg!(debug_assertions) {
        std::io::stdout().write_all(b"A debug build: the numbers say nothing.\n")?;
    }
    Ok(())
}
