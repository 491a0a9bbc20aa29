//! `keys` of an issuer: exactly one source, and algorithms that fit it.

use super::Names;
use crate::config::disk::{read_bytes, read_text};
use crate::config::file::issuer as file;
use crate::config::file::values::Text;
use crate::config::read::{At, Context, List};
use crate::config::source::Span;
use crate::config::{Algorithm, Keys, SecretBytes};
use http::Uri;
use rustls_pki_types::pem::{PemObject, SectionKind};
use std::net::IpAddr;
use std::path::Path;

/// Bytes of a file of keys, as of a fetched set.
const KEYS_BYTES_MAX: u64 = 256 * 1024;
const SOURCES: [&str; 5] = ["jwks_url", "jwks_file", "pem_file", "secret", "link"];

pub(super) fn keys(
    written: file::Keys,
    algorithms: Option<&List<Algorithm, 1>>,
    names: &Names,
    context: &mut Context<'_>,
) -> Option<Keys> {
    let file::Keys { written: keys, jwks_url, insecure, link, jwks_file, pem_file, secret } = written;
    match keys.among(&SOURCES).as_slice() {
        [_] => {}
        [] if keys.among(&["discovery"]).is_empty() => {
            context
                .problem(keys.table, "`keys` names no source")
                .help("add one of `jwks_url`, `jwks_file`, `pem_file`, `secret`, `link`");
            return None;
        }
        [] => return None,
        [(first, first_at), rest @ ..] => {
            for (second, second_at) in rest {
                let message = format!("`{second}` beside `{first}`: an issuer has one source of keys");
                context
                    .problem(*second_at, message)
                    .note_at(*first_at, format!("`{first}`"))
                    .help("make two issuers of it");
            }
            return None;
        }
    }
    if keys.at("jwks_url").is_none() {
        super::no_effect(&keys.among(&["insecure"]), "without `jwks_url`", context);
    }
    if let Some(algorithms) = algorithms {
        fit(algorithms, keys.at("secret"), context);
    }
    if let Some(secret) = secret {
        long_enough(&secret, algorithms, context);
        return Some(Keys::Secret(secret.value));
    }
    if let Some(url) = jwks_url {
        let insecure = insecure?;
        check_url(&url, &insecure, keys.at("insecure"), context);
        return Some(Keys::JwksUrl { url: url.value, insecure: insecure.value });
    }
    if let Some(upstream) = link {
        linked(&upstream, names, context);
        return Some(Keys::Link { upstream: upstream.value.0 });
    }
    if let Some(path) = jwks_file {
        check_jwks(&path.value.0, path.at, context)?;
        return Some(Keys::JwksFile { path: path.value.0 });
    }
    let path = pem_file?;
    check_pem(&path.value.0, path.at, context)?;
    Some(Keys::PemFile { path: path.value.0 })
}

/// Reports an upstream that tells nothing.
pub(super) fn linked(upstream: &At<Text>, names: &Names, context: &mut Context<'_>) {
    let linked: Vec<&str> = names.linked.iter().map(String::as_str).collect();
    let name = &upstream.value.0;
    if !names.upstreams.contains(name) {
        context.unknown(upstream.at, format!("there is no upstream `{name}`"), &linked);
    } else if !names.linked.contains(name) {
        context
            .problem(upstream.at, format!("the upstream `{name}` has no link"))
            .help("add `link = true` to the upstream");
    }
}

/// A public key that is accepted as an HMAC secret lets everybody sign (RFC 8725 section 2.1).
fn fit(algorithms: &List<Algorithm, 1>, secret: Option<Span>, context: &mut Context<'_>) {
    for algorithm in algorithms.iter() {
        match (hmac_bytes_min(algorithm.value), secret) {
            (Some(_), None) => context
                .problem(
                    algorithm.at,
                    format!("`{:?}` needs a shared secret, but this issuer has public keys", algorithm.value),
                )
                .help("a public key must never serve as a shared secret: make two issuers of it"),
            (None, Some(secret)) => context
                .problem(
                    algorithm.at,
                    format!("`{:?}` needs a public key, but this issuer has a shared secret", algorithm.value),
                )
                .note_at(secret, "`secret`"),
            (Some(_), Some(_)) | (None, None) => continue,
        };
    }
}

fn long_enough(secret: &At<SecretBytes>, algorithms: Option<&List<Algorithm, 1>>, context: &mut Context<'_>) {
    let needs =
        algorithms.iter().flat_map(|list| list.iter()).filter_map(|a| Some((hmac_bytes_min(a.value)?, a.value)));
    if let Some((bytes_min, algorithm)) = needs.max_by_key(|(bytes_min, _)| *bytes_min)
        && secret.value.0.len() < bytes_min
    {
        let have = secret.value.0.len();
        context
            .problem(secret.at, format!("the secret has {have} bytes, {algorithm:?} needs at least {bytes_min}"))
            .note("a shorter secret can be guessed from one token (RFC 7518 section 3.2)")
            .help(format!("make one with `openssl rand -hex {bytes_min}`"));
    }
}

fn check_url(url: &At<Uri>, insecure: &At<bool>, insecure_at: Option<Span>, context: &mut Context<'_>) {
    let authority = url.value.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        context.problems.secrets.push(url.at);
        context.problem(url.at, "a URL of keys carries no user name or password");
    }
    let host = url.value.host().unwrap_or("").trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.value.scheme_str() {
        Some("https") => {
            if let Some(at) = insecure_at.filter(|_| insecure.value) {
                super::no_effect(&[("insecure", at)], "with https", context);
            }
        }
        Some("http") if loopback || insecure.value => {}
        Some("http") => {
            context
                .problem(url.at, "keys over plain http: whoever is on the way can sign tokens")
                .help("write https, or add `insecure = true` if the network is trusted (a compose network)");
        }
        _ => {
            context.problem(url.at, "keys are fetched over https or http only");
        }
    }
}

fn check_jwks(path: &Path, at: Span, context: &mut Context<'_>) -> Option<()> {
    let message = match read_text(path, KEYS_BYTES_MAX) {
        Err(reason) => format!("cannot read {}: {reason}", path.display()),
        Ok(text) => match serde_json::from_str::<serde_json::Value>(&text) {
            Err(error) => format!("{} is no JSON: {error}", path.display()),
            Ok(set) => match set.get("keys").and_then(|keys| keys.as_array()) {
                Some(keys) if !keys.is_empty() => return Some(()),
                Some(_) => format!("{} holds no keys", path.display()),
                None => format!("{} is no JWK set: it has no list `keys`", path.display()),
            },
        },
    };
    context.problem(at, message);
    None
}

fn check_pem(path: &Path, at: Span, context: &mut Context<'_>) -> Option<()> {
    let bytes = match read_bytes(path, KEYS_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(reason) => {
            context.problem(at, format!("cannot read {}: {reason}", path.display()));
            return None;
        }
    };
    let sections: Result<Vec<(SectionKind, Vec<u8>)>, _> = PemObject::pem_slice_iter(&bytes).collect();
    let sections = match sections {
        Ok(sections) => sections,
        Err(error) => {
            context.problem(at, format!("{} is no valid PEM: {error}", path.display()));
            return None;
        }
    };
    let is = |kinds: &[SectionKind]| sections.iter().any(|(kind, _)| kinds.contains(kind));
    if is(&[SectionKind::PrivateKey, SectionKind::RsaPrivateKey, SectionKind::EcPrivateKey]) {
        context
            .problem(at, format!("{} holds a private key", path.display()))
            .help("the proxy only verifies: give it the public key, `openssl pkey -in KEY -pubout`");
        return None;
    }
    if !is(&[SectionKind::PublicKey, SectionKind::Certificate]) {
        context
            .problem(at, format!("{} holds no public key and no certificate in PEM", path.display()))
            .help("it starts with `-----BEGIN PUBLIC KEY-----` or `-----BEGIN CERTIFICATE-----`");
        return None;
    }
    Some(())
}

/// The shortest secret of an HMAC algorithm: as long as its hash (RFC 7518 section 3.2). `None` for the others.
pub(super) fn hmac_bytes_min(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::HS256 => Some(32),
        Algorithm::HS384 => Some(48),
        Algorithm::HS512 => Some(64),
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::ES512
        | Algorithm::EdDSA => None,
    }
}
