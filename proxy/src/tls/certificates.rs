//! Which certificate a handshake gets.

use super::self_signed;
use crate::config::{Site, Tls};
use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The certificates of all sites.
#[derive(Debug)]
pub struct Certificates(ArcSwap<Table>);

#[derive(Debug, Default)]
struct Table {
    exact: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// `*.example.com` is kept as `example.com`.
    wildcards: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// For clients that name no host, or one that nobody has: better an answer with the wrong name, which the client
    /// reports clearly, than a failed handshake.
    default: Option<Arc<CertifiedKey>>,
}

/// Why a site has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM data can't be used.
    #[error("site \"{site}\": {}: {reason}", file.display())]
    Pem {
        /// The site.
        site: String,
        /// The file of the chain.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No development certificate can be made or kept.
    #[error("site \"{site}\": cannot keep a self-signed certificate in {}: {error}", directory.display())]
    SelfSigned {
        /// The site.
        site: String,
        /// `server.state`.
        directory: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

impl Certificates {
    /// Loads, or makes, the certificate of each site.
    ///
    /// # Errors
    /// [`TlsError`], for the first site without a usable certificate.
    pub fn load(sites: &[Site], state: &Path) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(Table::load(sites, state)?))))
    }

    /// Replaces all certificates; handshakes from now on see the new ones. When no site has one any more, the old stay.
    ///
    /// # Errors
    /// As [`Self::load`]; the old ones stay then.
    pub fn replace(&self, sites: &[Site], state: &Path) -> Result<(), TlsError> {
        let table = Table::load(sites, state)?;
        // Listeners stay as they were started: without any certificate a TLS listener could only fail.
        if table.default.is_some() {
            self.0.store(Arc::new(table));
        }
        Ok(())
    }
}

impl Table {
    fn load(sites: &[Site], state: &Path) -> Result<Self, TlsError> {
        let mut table = Self::default();
        for site in sites {
            let Some(tls) = &site.tls else { continue };
            let certified = Arc::new(certified(site, tls, state)?);
            if site.hosts.is_empty() || table.default.is_none() {
                table.default = Some(Arc::clone(&certified));
            }
            for host in &site.hosts {
                match host.strip_prefix("*.") {
                    Some(parent) => table.wildcards.insert(parent.into(), Arc::clone(&certified)),
                    None => table.exact.insert(host.as_str().into(), Arc::clone(&certified)),
                };
            }
        }
        Ok(table)
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || name.split_once('.').and_then(|(_, parent)| self.wildcards.get(parent));
            self.exact.get(name.as_str()).or_else(wildcard)
        });
        named.or(self.default.as_ref()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().find(hello.server_name())
    }
}

fn certified(site: &Site, tls: &Tls, state: &Path) -> Result<CertifiedKey, TlsError> {
    let (file, chain, key) = match tls {
        Tls::Pem { certificate_file, certificate, key } => {
            (certificate_file.clone(), certificate.clone(), key.0.clone())
        }
        Tls::SelfSigned => {
            let failed = |error| TlsError::SelfSigned { site: site.name.clone(), directory: state.to_owned(), error };
            let made = self_signed::load_or_make(site, state).map_err(failed)?;
            (made.file, made.certificate, made.key)
        }
    };
    let failed = |reason: String| TlsError::Pem { site: site.name.clone(), file: file.clone(), reason };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(format!("no certificate chain in PEM: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| failed(format!("no private key in PEM: {error}")))?;
    let signer = any_supported_type(&key).map_err(|error| failed(format!("unsupported private key: {error}")))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|error| failed(format!("certificate and key do not belong together: {error}")))?;
    Ok(certified)
}
