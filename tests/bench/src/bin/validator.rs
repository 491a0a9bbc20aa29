//! The validator behind nginx's `auth_request`: one thread, keys read once, nothing parsed but the token.
//!
//! Arguments: its Unix socket, a JSON file of issuers (`path`, `alg`, `iss`, `aud`, and `secret` or `pem_file`), how many
//! good tokens of each it remembers (0: it verifies each again). The path names the issuer, so that no token chooses its
//! own key. It answers 204 or 401.

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::UnixListener;

/// Whose tokens are good on a path.
struct Issuer {
    path: String,
    key: DecodingKey,
    validation: Validation,
    remembered_max: usize,
    /// Until when a token is good, in seconds since 1970.
    remembered: RefCell<HashMap<Box<str>, u64>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, issuers, remembered_max] = arguments.as_slice() else {
        return Err("SOCKET ISSUERS REMEMBERED".into());
    };
    let issuers: Vec<Value> = serde_json::from_slice(&fs::read(issuers)?)?;
    let remembered_max = remembered_max.parse()?;
    let issuers: Rc<[Issuer]> = issuers.iter().map(|one| issuer(one, remembered_max)).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build_local(Default::default())?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let issuers = Rc::clone(&issuers);
            let service = service_fn(move |request| std::future::ready(answer(&issuers, &request)));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // nginx may close what it keeps whenever it likes.
            tokio::task::spawn_local(async move { drop(connection.await) });
        }
    })
}

fn issuer(facts: &Value, remembered_max: usize) -> Result<Issuer, Box<dyn Error>> {
    let text = |name: &str| facts.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing"));
    let algorithm = text("alg")?.parse()?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[text("aud")?]);
    validation.set_issuer(&[text("iss")?]);
    let key = match algorithm {
        Algorithm::HS256 => DecodingKey::from_secret(text("secret")?.as_bytes()),
        Algorithm::ES256 => DecodingKey::from_ec_pem(&fs::read(text("pem_file")?)?)?,
        Algorithm::RS256 => DecodingKey::from_rsa_pem(&fs::read(text("pem_file")?)?)?,
        _ => return Err(format!("{algorithm:?} is not measured").into()),
    };
    Ok(Issuer { path: text("path")?.to_owned(), key, validation, remembered_max, remembered: RefCell::default() })
}

fn answer(issuers: &[Issuer], request: &Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let issuer = issuers.iter().find(|issuer| issuer.path == request.uri().path());
    let is_good = issuer.zip(token).is_some_and(|(issuer, token)| issuer.accepts(token));
    let mut response = Response::new(Empty::new());
    *response.status_mut() = if is_good { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED };
    Ok(response)
}

impl Issuer {
    fn accepts(&self, token: &str) -> bool {
        if self.remembered_max == 0 {
            return self.verify(token).is_some();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs());
        let mut remembered = self.remembered.borrow_mut();
        if remembered.get(token).is_some_and(|until| now < *until) {
            return true;
        }
        let Some(until) = self.verify(token) else { return false };
        if remembered.len() >= self.remembered_max {
            remembered.clear();
        }
        remembered.insert(token.into(), until);
        true
    }

    /// The `exp` of a good token.
    fn verify(&self, token: &str) -> Option<u64> {
        let good = jsonwebtoken::decode::<Value>(token, &self.key, &self.validation).ok()?;
        good.claims.get("exp")?.as_u64()
    }
}
