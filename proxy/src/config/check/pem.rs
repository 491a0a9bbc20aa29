//! Certificates and keys in PEM files: readable, well formed, and belonging together.

use crate::config::SecretBytes;
use crate::config::file::site::KeyText;
use crate::config::file::values::FilePath;
use crate::config::read::{At, Context};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

/// Bytes of a certificate chain, of a key, or of a list of authorities.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// A certificate chain and the key to it.
pub(super) struct Pair {
    pub(super) file: PathBuf,
    pub(super) certificate: Vec<u8>,
    pub(super) key: SecretBytes,
}

/// Reads a chain and its key and sees whether they belong together.
pub(super) fn pair(
    certificate: Option<At<FilePath>>,
    key: Option<At<KeyText>>,
    context: &mut Context<'_>,
) -> Option<Pair> {
    let chain = certificate.as_ref().and_then(|path| certificates(path, context));
    let key = key.and_then(|key| {
        let bytes = key_bytes(&key, context)?;
        match PrivateKeyDer::from_pem_slice(&bytes) {
            // A reference loses the last line end, a file keeps it: the same key is the same configuration.
            Ok(der) => Some((At { value: bytes.trim_ascii().to_vec(), at: key.at }, der)),
            Err(_) => {
                // The reason could quote a part of the key.
                context
                    .problem(key.at, "this holds no private key in PEM")
                    .help("it starts with `-----BEGIN PRIVATE KEY-----` and is not encrypted");
                None
            }
        }
    });
    let ((certificate_bytes, chain), (key, der)) = (chain?, key?);
    if let Err(error) = CertifiedKey::from_der(chain, der, &aws_lc_rs::default_provider()) {
        let message = match error {
            rustls::Error::InconsistentKeys(_) => "this key does not belong to the certificate".to_owned(),
            rustls::Error::General(reason) => format!("this key cannot be used: {reason}"),
            other => format!("this certificate and key cannot be used: {other}"),
        };
        let problem = context.problem(key.at, message);
        if let Some(certificate) = &certificate {
            problem.note_at(certificate.at, "the certificate stands");
        }
        return None;
    }
    Some(Pair { file: certificate?.value.0, certificate: certificate_bytes, key: SecretBytes(key.value) })
}

/// Reads certificates that are to be believed.
pub(super) fn authorities(path: &At<FilePath>, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let (bytes, certificates) = certificates(path, context)?;
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates.into_iter().enumerate() {
        if let Err(error) = roots.add(certificate) {
            let message = format!("certificate {} of {} cannot be used: {error}", index + 1, path.value.0.display());
            context.problem(path.at, message);
            return None;
        }
    }
    Some(bytes)
}

/// The bytes of a file and the certificates in it, at least one.
fn certificates(path: &At<FilePath>, context: &mut Context<'_>) -> Option<(Vec<u8>, Vec<CertificateDer<'static>>)> {
    let bytes = read(&path.value.0, path, context)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Some((bytes, chain)),
        Ok(_) => {
            context.problem(path.at, format!("{} holds no certificate in PEM", path.value.0.display()));
            None
        }
        Err(error) => {
            context.problem(path.at, format!("{} is no valid PEM: {error}", path.value.0.display()));
            None
        }
    }
}

fn read<T>(path: &Path, at: &At<T>, context: &mut Context<'_>) -> Option<Vec<u8>> {
    match context.read_bytes(path, PEM_BYTES_MAX) {
        Ok(bytes) => Some(bytes),
        Err(reason) => {
            context.problem(at.at, format!("cannot read {}: {reason}", path.display()));
            None
        }
    }
}

/// The key itself, or what is in the file that is named. A text that is neither is not quoted: it may be a mangled key.
fn key_bytes(key: &At<KeyText>, context: &mut Context<'_>) -> Option<Vec<u8>> {
    let bytes = &key.value.0.0;
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Some(bytes.clone());
    }
    let path =
        std::str::from_utf8(bytes).ok().filter(|path| path.len() < 4096 && !path.contains('\n') && !path.is_empty());
    let Some(path) = path else {
        context.problem(key.at, "this is neither a private key in PEM nor a path");
        return None;
    };
    let path = context.problems.sources.resolve(key.at, path);
    let bytes = context.read_bytes(&path, PEM_BYTES_MAX);
    if let Err(reason) = &bytes {
        context.problem(key.at, format!("cannot read the file of the key: {reason}"));
    }
    bytes.ok()
}
