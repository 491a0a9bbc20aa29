//! `[site.NAME]`: hosts that do not collide, certificates that can be used.

use super::{Checked, rules};
use crate::config::disk::read_bytes;
use crate::config::file::site::{self as file, Certificate, KeyText};
use crate::config::read::{At, Context};
use crate::config::{SecretBytes, Site, Tls};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::path::Path;

/// Bytes of a certificate chain or a key.
const PEM_BYTES_MAX: u64 = 256 * 1024;

pub(super) fn site(name: &At<String>, written: file::Site, context: &mut Context<'_>) -> Option<Site> {
    let file::Site { written: keys, hosts, tls, request_headers, response_headers } = written;
    let request_headers = rules::of_requests(request_headers, context);
    let response_headers = rules::of_responses(response_headers, context);
    let tls = match (keys.at("tls"), tls) {
        (None, _) => None,
        (Some(_), None) => return None,
        (Some(_), Some(At { value: file::Tls::SelfSigned, .. })) => Some(Tls::SelfSigned),
        (Some(_), Some(At { value: file::Tls::Pem(certificate), .. })) => Some(pem(certificate, context)?),
    };
    let hosts = hosts?.value.0.into_iter().map(|host| host.value.0).collect();
    Some(Site { name: name.value.clone(), hosts, tls, request_headers, response_headers })
}

fn pem(written: Certificate, context: &mut Context<'_>) -> Option<Tls> {
    let Certificate { written: _, certificate, key } = written;
    let chain = certificate.as_ref().and_then(|path| {
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
    });
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
    Some(Tls::Pem {
        certificate_file: certificate?.value.0,
        certificate: certificate_bytes,
        key: SecretBytes(key.value),
    })
}

fn read<T>(path: &Path, at: &At<T>, context: &mut Context<'_>) -> Option<Vec<u8>> {
    match read_bytes(path, PEM_BYTES_MAX) {
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
    let bytes = read_bytes(&path, PEM_BYTES_MAX);
    if let Err(reason) = &bytes {
        context.problem(key.at, format!("cannot read the file of the key: {reason}"));
    }
    bytes.ok()
}

/// Reports hosts that belong to two sites; a site without hosts is the one for any host.
pub(super) fn hosts(sites: &[Checked<Site>], context: &mut Context<'_>) {
    let mut seen: HashMap<&str, &At<Site>> = HashMap::new();
    for site in sites.iter().flatten() {
        let any = site.value.hosts.is_empty().then_some("");
        for host in any.into_iter().chain(site.value.hosts.iter().map(String::as_str)) {
            if let Some(first) = seen.get(host) {
                let message = match (host, first.value.name == site.value.name) {
                    ("", _) => {
                        format!("the sites `{}` and `{}` both stand for any host", first.value.name, site.value.name)
                    }
                    (host, true) => format!("the host `{host}` stands twice in the site `{}`", site.value.name),
                    (host, false) => format!(
                        "the host `{host}` belongs to the sites `{}` and `{}`",
                        first.value.name, site.value.name
                    ),
                };
                context.problem(site.at, message).note_at(first.at, format!("site `{}`", first.value.name));
            } else {
                seen.insert(host, site);
            }
        }
    }
}
