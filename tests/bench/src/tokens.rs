//! Keys and tokens of the issuers that all servers trust.

use crate::error::Error;
use jsonwebtoken::{EncodingKey, Header};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The `aud` of all.
pub(crate) const AUDIENCE: &str = "https://bench.example";
/// The shared secret of the HS256 tokens.
pub(crate) const SECRET: &str = "the secret of the benchmark is none and longer than its hash";

/// Longer than a run, shorter than what an issuer may promise.
const TOKEN_SECONDS: u64 = 6 * 3600;

/// How a token is signed. Each has an issuer, a key and a route of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    EdDsa,
    Es256,
    Rs256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 4] = [Self::Hs256, Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in routes and files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "hs256",
            Self::EdDsa => "eddsa",
            Self::Es256 => "es256",
            Self::Rs256 => "rs256",
        }
    }

    /// The name in a token (RFC 7518 section 3.1).
    pub(crate) const fn alg(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The `iss` of its tokens: an issuer's name is its own.
    pub(crate) fn issuer(self) -> String {
        format!("https://{}.example", self.name())
    }

    /// The file of its public key, below the ground; HS256 has none.
    pub(crate) fn public_key(self) -> Option<String> {
        (self != Self::Hs256).then(|| format!("{}.pem", self.name()))
    }

    fn algorithm(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// Signs for all issuers.
pub(crate) struct Tokens {
    directory: PathBuf,
    now: u64,
    keys: Vec<(Algorithm, EncodingKey)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Makes the keys; the public ones are written to the directory.
    pub(crate) fn prepare(directory: &Path) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for algorithm in Algorithm::ALL {
            let pair = match algorithm {
                Algorithm::Hs256 => {
                    keys.push((algorithm, EncodingKey::from_secret(SECRET.as_bytes())));
                    continue;
                }
                Algorithm::EdDsa => rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?,
                Algorithm::Es256 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?,
                Algorithm::Rs256 => {
                    rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?
                }
            };
            if let Some(name) = algorithm.public_key() {
                fs::write(directory.join(name), pair.public_key_pem())?;
            }
            let pem = pair.serialize_pem();
            let key = match algorithm {
                Algorithm::Rs256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
                Algorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()),
                Algorithm::EdDsa | Algorithm::Hs256 => EncodingKey::from_ed_pem(pem.as_bytes()),
            }?;
            keys.push((algorithm, key));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(Self { directory: directory.to_owned(), now, keys })
    }

    /// The token of one user.
    pub(crate) fn one(&self, algorithm: Algorithm, user: usize) -> Result<String, Error> {
        let claims = serde_json::json!({
            "iss": algorithm.issuer(), "aud": AUDIENCE, "sub": format!("user-{user}"),
            "iat": self.now, "exp": self.now + TOKEN_SECONDS,
            "jti": format!("0f2a6c1e5d7b4e3f9a8b7c6d{user:08x}"), "scope": "notes:read notes:write",
        });
        let key = self.keys.iter().find(|(of, _)| *of == algorithm).map(|(_, key)| key);
        let key = key.ok_or_else(|| Error::Output { program: "tokens", output: "no such key".into() })?;
        Ok(jsonwebtoken::encode(&Header::new(algorithm.algorithm()), &claims, key)?)
    }

    /// A file with the tokens of so many users, one a line; made when first wanted.
    pub(crate) fn file(&self, algorithm: Algorithm, users: usize) -> Result<PathBuf, Error> {
        let path = self.directory.join(format!("tokens-{}-{users}.txt", algorithm.name()));
        if !path.exists() {
            let mut file = BufWriter::new(fs::File::create(&path)?);
            for user in 0..users {
                writeln!(file, "{}", self.one(algorithm, user)?)?;
            }
            file.flush()?;
        }
        Ok(path)
    }
}
