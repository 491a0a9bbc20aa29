//! What all servers of a run share: the files, the certificate, the tokens, the ports.

use crate::error::Error;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The name in the certificate.
pub(crate) const HOST: &str = "localhost";
/// The `iss` of the HS256 token and of the EdDSA token: an issuer's name is its own.
pub(crate) const ISSUERS: [&str; 2] = ["https://hs256.example", "https://eddsa.example"];
/// The `aud` of both.
pub(crate) const AUDIENCE: &str = "https://bench.example";
/// The shared secret of the HS256 tokens.
pub(crate) const SECRET: &str = "the secret of the benchmark is none and longer than its hash";

/// Longer than a run, shorter than what an issuer may promise.
const TOKEN_SECONDS: u64 = 6 * 3600;

/// A directory that goes with the value, and what is in it.
#[derive(Debug)]
pub(crate) struct Ground {
    directory: TempDir,
    /// Where everybody listens.
    pub(crate) ports: Ports,
    /// `Authorization` values.
    pub(crate) tokens: Tokens,
}

/// A plain and a TLS port for each server.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) upstream: u16,
    pub(crate) portcullis: [u16; 2],
    pub(crate) nginx: [u16; 2],
    pub(crate) haproxy: [u16; 2],
}

/// One token of each kind, as in the requests of one user.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) hs256: String,
    pub(crate) eddsa: String,
}

impl Ground {
    /// Writes everything below a new temporary directory.
    pub(crate) fn prepare() -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix("portcullis-bench-").tempdir()?;
        let path = directory.path();
        let site = path.join("site");
        fs::create_dir(&site)?;
        for (name, bytes) in [("1k.bin", 1024), ("100k.bin", 100 * 1024), ("10m.bin", 10 * 1024 * 1024)] {
            fs::write(site.join(name), filler(bytes))?;
        }
        fs::write(path.join("post.bin"), filler(64 * 1024))?;
        write_certificate(path)?;
        let tokens = Tokens::make(path)?;
        Ok(Self { ports: Ports::free()?, tokens, directory })
    }

    /// A file of the ground.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Bytes that look like text to whoever might look.
fn filler(bytes: usize) -> Vec<u8> {
    b"0123456789abcdefghijklmnopqrstuvwxyz\n".iter().copied().cycle().take(bytes).collect()
}

/// ECDSA P-256, which is what is deployed now. `both.pem` is how HAProxy wants it.
fn write_certificate(path: &Path) -> Result<(), Error> {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    fs::write(path.join("certificate.pem"), cert.pem())?;
    fs::write(path.join("key.pem"), signing_key.serialize_pem())?;
    fs::write(path.join("both.pem"), cert.pem() + &signing_key.serialize_pem())?;
    Ok(())
}

impl Tokens {
    fn make(path: &Path) -> Result<Self, Error> {
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        fs::write(path.join("issuer.pem"), ed25519.public_key_pem())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let sign = |issuer, algorithm, key| -> Result<String, Error> {
            let claims = serde_json::json!({
                "iss": issuer, "aud": AUDIENCE, "sub": "user-4711", "iat": now, "exp": now + TOKEN_SECONDS,
                "jti": "0f2a6c1e5d7b4e3f9a8b7c6d5e4f3a2b", "scope": "notes:read notes:write",
            });
            Ok(format!("Bearer {}", jsonwebtoken::encode(&Header::new(algorithm), &claims, key)?))
        };
        Ok(Self {
            hs256: sign(ISSUERS[0], Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes()))?,
            eddsa: sign(ISSUERS[1], Algorithm::EdDSA, &EncodingKey::from_ed_pem(ed25519.serialize_pem().as_bytes())?)?,
        })
    }
}

impl Ports {
    /// Ports that nobody uses at this moment.
    fn free() -> io::Result<Self> {
        let held: Vec<_> = (0..7).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
        let port = |index: usize| held[index].local_addr().map(|address| address.port());
        Ok(Self {
            upstream: port(0)?,
            portcullis: [port(1)?, port(2)?],
            nginx: [port(3)?, port(4)?],
            haproxy: [port(5)?, port(6)?],
        })
    }
}
