//! One signing key with its public half: an Ed25519 key of our own, or a given one from a file.

use crate::config::GivenAlgorithm;
use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// More than any key's file.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// As long as the hash that it is used with (RFC 7518 section 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// In base64url, of 2048 bits (RFC 7518 section 3.3).
const MODULUS_CHARS_MIN: usize = 342;
/// Any of these bits lets somebody else read or replace the key.
const FOREIGN_MODE_BITS: u32 = 0o077;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("{}: mode {mode:04o} lets other users in; run `chmod 600` on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{}: expected {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the algorithm needs.
        expected: &'static str,
    },
    /// No random bytes from the system.
    #[error("no key could be made")]
    Random,
}

/// A key that signs, under its name.
pub struct SigningKey {
    id: Option<String>,
    algorithm: Algorithm,
    encoding: EncodingKey,
    decoding: DecodingKey,
    jwk: Option<serde_json::Value>,
}

impl SigningKey {
    /// Makes an Ed25519 key.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let pkcs8 = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(|_| KeyError::Random)?;
        Self::from_pkcs8(pkcs8.as_ref()).ok_or(KeyError::Random)
    }

    /// Reads an Ed25519 key as it was written (PKCS #8, DER).
    #[must_use]
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        // Refuses what is no such key; the encoding key would be made of anything.
        Ed25519KeyPair::from_pkcs8(der).ok()?;
        Self::with(Algorithm::EdDSA, EncodingKey::from_ed_der(der))
    }

    /// Reads the Ed25519 key that earlier versions kept in a file of PEM; none where there is none.
    ///
    /// # Errors
    /// The file can't be read, or holds something else.
    pub fn from_earlier_file(path: &Path) -> Result<Option<Self>, KeyError> {
        if path.exists() { Self::given(GivenAlgorithm::EdDsa, path).map(Some) } else { Ok(None) }
    }

    /// Reads a given key.
    ///
    /// # Errors
    /// The file can't be read, is open to others, or holds no key for the algorithm.
    pub fn given(algorithm: GivenAlgorithm, path: &Path) -> Result<Self, KeyError> {
        let bytes = read(path)?;
        let malformed = |expected| KeyError::Malformed { path: path.to_owned(), expected };
        match algorithm {
            GivenAlgorithm::Hs256 => {
                let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                if secret.len() < SECRET_BYTES_MIN {
                    return Err(malformed("a secret of at least 32 bytes (RFC 7518 section 3.2)"));
                }
                // Without a name and unpublished: both sides know the one secret.
                let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
                Ok(Self { id: None, algorithm: Algorithm::HS256, encoding, decoding, jwk: None })
            }
            GivenAlgorithm::EdDsa => EncodingKey::from_ed_pem(&bytes)
                .ok()
                .and_then(|key| Self::from_pkcs8(key.as_bytes()))
                .ok_or_else(|| malformed("an Ed25519 key as PKCS #8 in PEM")),
            GivenAlgorithm::Es256 => EncodingKey::from_ec_pem(&bytes)
                .ok()
                .and_then(|key| Self::with(Algorithm::ES256, key))
                .ok_or_else(|| malformed("a P-256 key as PKCS #8 in PEM")),
            GivenAlgorithm::Rs256 => EncodingKey::from_rsa_pem(&bytes)
                .ok()
                .and_then(|key| Self::with(Algorithm::RS256, key))
                .ok_or_else(|| malformed("an RSA key of at least 2048 bits in PEM")),
        }
    }

    fn with(algorithm: Algorithm, encoding: EncodingKey) -> Option<Self> {
        let mut jwk = Jwk::from_encoding_key(&encoding, algorithm).ok()?;
        let fits = match &jwk.algorithm {
            AlgorithmParameters::RSA(key) => key.n.len() >= MODULUS_CHARS_MIN,
            AlgorithmParameters::EllipticCurve(key) => key.curve == EllipticCurve::P256,
            _ => true,
        };
        let id = jwk.thumbprint(ThumbprintHash::SHA256).ok().filter(|_| fits)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: Some(id), algorithm, encoding, decoding, jwk: Some(serde_json::to_value(&jwk).ok()?) })
    }

    /// The key's name: its thumbprint (RFC 7638). A secret has none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The public half (RFC 7517). A secret has none.
    #[must_use]
    pub const fn jwk(&self) -> Option<&serde_json::Value> {
        self.jwk.as_ref()
    }

    /// The private half of a key of our own (PKCS #8, DER).
    pub(super) fn private(&self) -> &[u8] {
        self.encoding.as_bytes()
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) const fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    pub(super) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & FOREIGN_MODE_BITS != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn a_made_key_reads_back_from_its_private_half() {
        let made = SigningKey::generate().expect("a key");
        let read = SigningKey::from_pkcs8(made.private()).expect("a key");
        assert_eq!((made.id(), made.jwk()), (read.id(), read.jwk()));
        assert!(made.jwk().expect("public").get("d").is_none());
        assert!(SigningKey::from_pkcs8(b"no key").is_none());
    }

    /// The private key of RFC 8037 appendix A.1 and the thumbprint of appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed");
        let key = SigningKey::from_pkcs8(pair.to_pkcs8v1().expect("PKCS #8").as_ref()).expect("a key");
        assert_eq!(key.jwk().expect("public")["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.id(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn a_given_key_must_fit_its_algorithm() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let put = |text: &str, mode| {
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        assert!(matches!(SigningKey::given(GivenAlgorithm::Hs256, &path), Err(KeyError::Io { .. })));
        let secret = "s".repeat(32);
        put(&secret, 0o644);
        assert!(matches!(SigningKey::given(GivenAlgorithm::Hs256, &path), Err(KeyError::Exposed { mode: 0o644, .. })));
        put(&secret[1..], 0o600);
        for algorithm in [GivenAlgorithm::Hs256, GivenAlgorithm::EdDsa, GivenAlgorithm::Rs256, GivenAlgorithm::Es256] {
            let found = SigningKey::given(algorithm, &path);
            assert!(matches!(found, Err(KeyError::Malformed { .. })), "{algorithm:?} {found:?}");
        }
        put(&format!("{secret}\n"), 0o600);
        let key = SigningKey::given(GivenAlgorithm::Hs256, &path).expect("a key");
        assert_eq!((key.id(), key.jwk()), (None, None), "a secret is never published");
    }
}
