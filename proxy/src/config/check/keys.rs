//! `keys` of an issuer: exactly one source, and algorithms that fit it.

use super::Names;
use super::key_files::{check_jwks, check_pem, check_set};
use crate::config::file::issuer as file;
use crate::config::file::values::Text;
use crate::config::read::{At, Context, List};
use crate::config::source::Span;
use crate::config::{Algorithm, Keys, SecretBytes};
use http::Uri;
use std::net::IpAddr;

const SOURCES: [&str; 7] = ["jwks_url", "discovery", "jwks", "jwks_file", "pem_file", "secret", "link"];

/// What is put behind the URL of an issuer.
const WELL_KNOWN: &str = "/.well-known/";

pub(super) fn keys(
    written: file::Keys,
    iss: Option<&At<Text>>,
    algorithms: Option<&At<List<Algorithm, 1>>>,
    names: &Names,
    context: &mut Context<'_>,
) -> Option<Keys> {
    let file::Keys { written: keys, jwks_url, discovery, insecure, jwks, link, jwks_file, pem_file, secret } = written;
    match keys.among(&SOURCES).as_slice() {
        [_] => {}
        [] => {
            context
                .problem(keys.table, "`keys` names no source")
                .help("add one of `jwks_url`, `discovery`, `jwks`, `jwks_file`, `pem_file`, `secret`, `link`");
            return None;
        }
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
    if keys.among(&["jwks_url", "discovery"]).is_empty() {
        super::no_effect(&keys.among(&["insecure"]), "without `jwks_url` or `discovery`", context);
    }
    if let Some(algorithms) = algorithms {
        fit(&algorithms.value, keys.at("secret"), context);
    }
    if let Some(secret) = secret {
        long_enough(&secret, algorithms.map(|list| &list.value), context);
        bound_to_one(algorithms, context);
        return Some(Keys::Secret(secret.value));
    }
    if let Some(url) = jwks_url {
        let insecure = insecure?;
        check_url(&url, &insecure, keys.at("insecure"), context);
        return Some(Keys::JwksUrl { url: url.value, insecure: insecure.value });
    }
    if let Some(url) = discovery {
        let insecure = insecure?;
        check_url(&url, &insecure, keys.at("insecure"), context);
        check_discovery(&url, iss, context);
        return Some(Keys::Discovery { url: url.value, insecure: insecure.value });
    }
    if let Some(set) = jwks {
        check_set(&set.value, "`jwks`", set.at, algorithms, context)?;
        return Some(Keys::Jwks(set.value));
    }
    if let Some(upstream) = link {
        linked(&upstream, names, context);
        return Some(Keys::Link { upstream: upstream.value.0 });
    }
    if let Some(path) = jwks_file {
        check_jwks(&path.value.0, path.at, algorithms, context)?;
        return Some(Keys::JwksFile { path: path.value.0 });
    }
    let path = pem_file?;
    check_pem(&path.value.0, path.at, algorithms, context)?;
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

/// A key is used with one algorithm (RFC 8725 section 3.1): of several only the first would ever count.
fn bound_to_one(algorithms: Option<&At<List<Algorithm, 1>>>, context: &mut Context<'_>) {
    let hmac = || algorithms.iter().flat_map(|list| list.iter()).filter(|item| hmac_bytes_min(item.value).is_some());
    let other = hmac().find(|item| hmac().next().is_some_and(|first| first.value != item.value));
    if let Some(other) = other {
        context
            .problem(other.at, "a secret is used with one algorithm")
            .help("keep the one that the tokens have, or make two issuers of it with a secret each");
    }
}

/// The document must say `issuer`, and there is nothing to compare it with but `iss`.
fn check_discovery(url: &At<Uri>, iss: Option<&At<Text>>, context: &mut Context<'_>) {
    if iss.is_none() {
        context
            .problem(url.at, "`discovery` without `iss`: any document would do")
            .help("add `iss`, exactly as the document's `issuer` is written");
    }
    if url.value.query().is_some() || url.value.path().contains(WELL_KNOWN) {
        context
            .problem(url.at, "`discovery` is the URL of the issuer, not of its document")
            .help("`/.well-known/openid-configuration` is added to it");
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
