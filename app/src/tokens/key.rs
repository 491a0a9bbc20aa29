//! The signing key: made at the first start, kept in the state folder for this user alone, published as a JWK.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the key's file in its folder.
const FILE: &str = "signing.pem";
/// The length of a line of PEM (RFC 7468 section 2).
const PEM_LINE_CHARS: usize = 64;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no Ed25519 key.
    #[error("{}: expected an Ed25519 key as PKCS #8 in PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No random bytes from the system.
    #[error("no key could be made")]
    Random,
}

/// An Ed25519 key pair under its name.
pub struct SigningKey {
    id: String,
    x: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SigningKey {
    /// Reads the key in `folder`, or makes it there (mode 0600).
    ///
    /// # Errors
    /// The file can't be read or made, or holds something else.
    pub fn load_or_create(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        if !path.exists() {
            create(folder, &path)?;
        }
        let pem = fs::read(&path).map_err(|source| KeyError::Io { path: path.clone(), source })?;
        Self::parse(&pem).ok_or(KeyError::Malformed { path })
    }

    fn parse(pem: &[u8]) -> Option<Self> {
        let encoding = EncodingKey::from_ed_pem(pem).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(encoding.as_bytes()).ok()?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let decoding = DecodingKey::from_ed_components(&x).ok()?;
        // RFC 7638 section 3: the required members only, in this order, without spaces.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
        Some(Self { id: URL_SAFE_NO_PAD.encode(digest), x, encoding, decoding })
    }

    /// The key's name: its thumbprint (RFC 7638).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half (RFC 8037 section 2).
    #[must_use]
    pub fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": self.x, "use": "sig", "alg": "EdDSA", "kid": self.id,
        })
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

/// Puts a new key at `path`, complete or not at all; of two processes that start at once one wins and both use its key.
fn create(folder: &Path, path: &Path) -> Result<(), KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let pkcs8 = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(|_| KeyError::Random)?;
    let draft = folder.join(format!(".{FILE}-{}", uuid::Uuid::new_v4().simple()));
    let linked = write(&draft, &pem(pkcs8.as_ref())).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(folder)?.sync_all(),
    });
    // The draft goes on success and on failure; the key stands beside it.
    let _ = fs::remove_file(&draft);
    linked.map_err(failed)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE_CHARS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_a_private_key_and_the_second_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = folder.path().join("keys");
        let made = SigningKey::load_or_create(&keys).expect("a key");
        let read = SigningKey::load_or_create(&keys).expect("a key");
        assert_eq!(made.jwk(), read.jwk());
        let mode = fs::metadata(keys.join(FILE)).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&keys).expect("a folder").count(), 1, "no draft stays");
    }

    #[test]
    fn something_else_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "no key").expect("a file");
        assert!(matches!(SigningKey::load_or_create(folder.path()), Err(KeyError::Malformed { .. })));
    }

    /// The private key of RFC 8037 appendix A.1 and the thumbprint of appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed");
        let der = pair.to_pkcs8v1().expect("PKCS #8");
        let key = SigningKey::parse(pem(der.as_ref()).as_bytes()).expect("a key");
        assert_eq!(key.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
