//! Files of keys: there, readable, and with keys that the issuer's algorithms fit. A list that fits no key would refuse
//! every token, and nothing but the log would say why.

use crate::config::Algorithm;
use crate::config::read::{At, Context, List};
use crate::config::source::Span;
use crate::config::units::Spelled;
use rustls::server::ParsedCertificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject, SectionKind};
use serde_json::Value;
use std::path::Path;

/// Bytes of a file of keys, as of a fetched set.
const KEYS_BYTES_MAX: u64 = 256 * 1024;

/// What the algorithms of public keys tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// The identifiers in the head of a `SubjectPublicKeyInfo`, with tag and length (RFC 3279, RFC 5480, RFC 8410).
const IDENTIFIERS: [(&[u8], Kind); 5] = [
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], Kind::Rsa),
    (&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], Kind::P256),
    (&[6, 5, 0x2b, 0x81, 4, 0, 0x22], Kind::P384),
    (&[6, 5, 0x2b, 0x81, 4, 0, 0x23], Kind::P521),
    (&[6, 3, 0x2b, 0x65, 0x70], Kind::Ed25519),
];

/// Both identifiers stand within so many bytes, before the key itself.
const IDENTIFIERS_BYTES: usize = 32;

fn takes(algorithm: Algorithm) -> Option<Kind> {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Some(Kind::Rsa),
        Algorithm::ES256 => Some(Kind::P256),
        Algorithm::ES384 => Some(Kind::P384),
        Algorithm::ES512 => Some(Kind::P521),
        Algorithm::EdDSA => Some(Kind::Ed25519),
    }
}

pub(super) fn check_jwks(
    path: &Path,
    at: Span,
    algorithms: Option<&At<List<Algorithm, 1>>>,
    context: &mut Context<'_>,
) -> Option<()> {
    let name = path.display();
    let message = match context.read_text(path, KEYS_BYTES_MAX) {
        Err(reason) => format!("cannot read {name}: {reason}"),
        Ok(text) => match serde_json::from_str::<Value>(&text) {
            Err(error) => format!("{name} is no JSON: {error}"),
            Ok(set) => return check_set(&set, &name.to_string(), at, algorithms, context),
        },
    };
    context.problem(at, message);
    None
}

/// A JWK set, from wherever: `name` says where.
pub(super) fn check_set(
    set: &Value,
    name: &str,
    at: Span,
    algorithms: Option<&At<List<Algorithm, 1>>>,
    context: &mut Context<'_>,
) -> Option<()> {
    let message = match set.get("keys").and_then(|keys| keys.as_array()) {
        Some(keys) if !keys.is_empty() => {
            if let Some(algorithms) = algorithms {
                fits_one(keys, name, at, algorithms, context);
            }
            return Some(());
        }
        Some(_) => format!("{name} holds no keys"),
        None => format!("{name} is no JWK set: it has no list `keys`"),
    };
    context.problem(at, message);
    None
}

/// A set may hold keys for other issuers and other uses; one must be for this one.
fn fits_one(keys: &[Value], name: &str, at: Span, algorithms: &At<List<Algorithm, 1>>, context: &mut Context<'_>) {
    let fits = |key: &Value| {
        let alg = key.get("alg").and_then(Value::as_str);
        // RFC 9864 has another name for what RFC 8037 called EdDSA.
        let named = |algorithm: Algorithm| {
            alg.is_none_or(|alg| alg == algorithm.spelled() || (algorithm == Algorithm::EdDSA && alg == "Ed25519"))
        };
        let kind = kind_of_jwk(key);
        algorithms.iter().any(|algorithm| takes(algorithm.value) == kind && kind.is_some() && named(algorithm.value))
    };
    // An algorithm of secrets is a mistake of its own.
    if !keys.iter().any(fits) && algorithms.iter().all(|algorithm| takes(algorithm.value).is_some()) {
        context
            .problem(algorithms.at, format!("these algorithms fit no key in {name}: every token would be refused"))
            .note_at(at, "the keys");
    }
}

fn kind_of_jwk(key: &Value) -> Option<Kind> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match (text("kty")?, text("crv")) {
        ("RSA", _) => Some(Kind::Rsa),
        ("EC", Some("P-256")) => Some(Kind::P256),
        ("EC", Some("P-384")) => Some(Kind::P384),
        ("EC", Some("P-521")) => Some(Kind::P521),
        ("OKP", Some("Ed25519")) => Some(Kind::Ed25519),
        _ => None,
    }
}

pub(super) fn check_pem(
    path: &Path,
    at: Span,
    algorithms: Option<&At<List<Algorithm, 1>>>,
    context: &mut Context<'_>,
) -> Option<()> {
    let bytes = match context.read_bytes(path, KEYS_BYTES_MAX) {
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
    let keys: Vec<Option<Kind>> = sections.into_iter().filter_map(|(kind, der)| kind_of_section(kind, der)).collect();
    if keys.is_empty() {
        context
            .problem(at, format!("{} holds no public key and no certificate in PEM", path.display()))
            .help("it starts with `-----BEGIN PUBLIC KEY-----` or `-----BEGIN CERTIFICATE-----`");
        return None;
    }
    // A key in a file of one's own is meant, so each must fit.
    let Some(algorithms) = algorithms else { return Some(()) };
    let unfit =
        keys.iter().position(|key| key.is_none() || !algorithms.iter().any(|algorithm| takes(algorithm.value) == *key));
    if let Some(index) = unfit {
        context
            .problem(algorithms.at, format!("none of these algorithms fits key {} in {}", index + 1, path.display()))
            .note_at(at, "the keys");
    }
    Some(())
}

/// `None`: no public key. Inside: its kind, if it is a known one.
fn kind_of_section(kind: SectionKind, der: Vec<u8>) -> Option<Option<Kind>> {
    match kind {
        SectionKind::PublicKey => Some(kind_of_key(&der)),
        SectionKind::Certificate => {
            let certificate = CertificateDer::from(der);
            let parsed = ParsedCertificate::try_from(&certificate).ok();
            Some(parsed.and_then(|parsed| kind_of_key(parsed.subject_public_key_info().as_ref())))
        }
        _ => None,
    }
}

fn kind_of_key(der: &[u8]) -> Option<Kind> {
    let head = der.get(..der.len().min(IDENTIFIERS_BYTES))?;
    let stands_in = |identifier: &[u8]| head.windows(identifier.len()).any(|window| window == identifier);
    IDENTIFIERS.iter().find(|(identifier, _)| stands_in(identifier)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _};

    #[test]
    fn keys_are_told_apart_by_their_identifiers() {
        for (algorithm, kind) in [
            (&PKCS_ECDSA_P256_SHA256, Kind::P256),
            (&PKCS_ECDSA_P384_SHA384, Kind::P384),
            (&PKCS_ED25519, Kind::Ed25519),
        ] {
            let key = KeyPair::generate_for(algorithm).expect("a key");
            assert_eq!(kind_of_key(&key.subject_public_key_info()), Some(kind));
        }
        // X25519, which signs nothing.
        assert_eq!(kind_of_key(&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0]), None);
        assert_eq!(kind_of_key(&[]), None);
    }
}
