//! Signature algorithms: registered names, and which kind of key each one takes.

use crate::config::Algorithm;

/// The kinds of keys that algorithms take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// A shared secret of at least this many bytes: as long as the hash (RFC 7518 section 3.2).
    Hmac {
        /// The shortest secret.
        secret_bytes_min: usize,
    },
    /// RSA, PKCS #1 v1.5 or PSS.
    Rsa,
    /// A NIST curve.
    Ec(Curve),
    /// Ed25519 (RFC 8037).
    Ed,
}

/// The NIST curves of RFC 7518 section 3.4. Each belongs to exactly one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// Bytes of one coordinate; a JWK must write all of them (RFC 7518 section 6.2.1.2).
    pub(crate) fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// The algorithm of this registered name, if it is one that this proxy knows. `none` is not.
pub(crate) fn from_name(name: &str) -> Option<Algorithm> {
    Some(match name {
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "ES512" => Algorithm::ES512,
        // RFC 9864 names the curve; RFC 8037 had one name for all of them. Keys here are Ed25519 in both cases.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// The kind of key that this algorithm takes.
pub(crate) fn family(algorithm: Algorithm) -> Family {
    match algorithm {
        Algorithm::HS256 => Family::Hmac { secret_bytes_min: 32 },
        Algorithm::HS384 => Family::Hmac { secret_bytes_min: 48 },
        Algorithm::HS512 => Family::Hmac { secret_bytes_min: 64 },
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Family::Rsa,
        Algorithm::ES256 => Family::Ec(Curve::P256),
        Algorithm::ES384 => Family::Ec(Curve::P384),
        Algorithm::ES512 => Family::Ec(Curve::P521),
        Algorithm::EdDSA => Family::Ed,
    }
}
