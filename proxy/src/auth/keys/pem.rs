//! Public keys and certificates in PEM (RFC 7468).

use super::record::KeyRecord;
use super::rsa::RsaNumbers;
use super::{KEYS_TRIED_MAX, KeyProblem, KeySet};
use crate::auth::algorithm::{self, Family};
use crate::config::Algorithm;
use rustls::server::ParsedCertificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject as _, SectionKind};

/// Why a PEM file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemProblem {
    /// Not PEM.
    #[error("not PEM")]
    Malformed,
    /// A private key: the proxy only checks, and a key that lies about is a key that leaks.
    #[error("holds a private key; only public keys and certificates belong here")]
    Private,
    /// Neither `PUBLIC KEY` nor `CERTIFICATE`.
    #[error("no PUBLIC KEY and no CERTIFICATE in it")]
    NoKey,
    /// One of the keys can't be used: in a file of the operator's that is a mistake to be told.
    #[error("key {number}: {problem}")]
    Key {
        /// Counted from one.
        number: usize,
        /// What is wrong with it.
        problem: KeyProblem,
    },
}

/// Reads all public keys of a file. Each is bound to the first of the issuer's algorithms that fits it. Of a
/// certificate only the key counts: its dates and its signer do not.
pub(crate) fn load(pem: &[u8], algorithms: &[Algorithm]) -> Result<KeySet, PemProblem> {
    let mut records = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|_| PemProblem::Malformed)?;
        let number = records.len() + 1;
        let key = match kind {
            SectionKind::PublicKey => der,
            SectionKind::Certificate => public_key_of(der).ok_or(PemProblem::Malformed)?,
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(PemProblem::Private);
            }
            _ => continue,
        };
        records.push(bind(&key, algorithms).map_err(|problem| PemProblem::Key { number, problem })?);
    }
    if records.is_empty() {
        return Err(PemProblem::NoKey);
    }
    if records.len() > KEYS_TRIED_MAX {
        return Err(PemProblem::Key { number: records.len(), problem: KeyProblem::TooManyUnnamed });
    }
    Ok(KeySet::new(records))
}

fn public_key_of(certificate: Vec<u8>) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from(certificate);
    let parsed = ParsedCertificate::try_from(&certificate).ok()?;
    Some(parsed.subject_public_key_info().as_ref().to_vec())
}

fn bind(spki: &[u8], algorithms: &[Algorithm]) -> Result<KeyRecord, KeyProblem> {
    let mut problem = KeyProblem::Algorithm;
    for &algorithm in algorithms {
        let loaded = match algorithm::family(algorithm) {
            Family::Rsa => {
                RsaNumbers::from_spki(spki).and_then(|numbers| KeyRecord::from_rsa(None, algorithm, &numbers))
            }
            Family::Ec(_) => KeyRecord::from_ec(None, algorithm, spki),
            Family::Ed => KeyRecord::from_ed25519(None, spki),
            Family::Hmac { .. } => continue,
        };
        match loaded {
            Ok(record) => return Ok(record),
            // Another family's key: the next algorithm may fit.
            Err(KeyProblem::Invalid) => {}
            Err(found) => problem = found,
        }
    }
    Err(problem)
}
