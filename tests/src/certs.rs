//! A certificate authority of the tests' own: leaves for the servers, trust for the clients.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An authority that lives for one test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and key in PEM files.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    ///
    /// Only when the cryptographic library fails.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Portcullis test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Writes a certificate for these host names and its key into `folder`, as `<first name>.pem` and `.key`.
    ///
    /// # Panics
    ///
    /// When the files can't be written.
    #[must_use]
    pub fn leaf(&self, folder: &Path, hosts: &[&str]) -> Leaf {
        let names: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("host names");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let base = folder.join(hosts.first().expect("at least one host"));
        let leaf = Leaf { certificate: base.with_extension("pem"), key: base.with_extension("key") };
        std::fs::write(&leaf.certificate, certificate.pem()).expect("the certificate is written");
        std::fs::write(&leaf.key, key.serialize_pem()).expect("the key is written");
        leaf
    }

    /// A client that trusts this authority.
    #[must_use]
    pub fn trusted(&self) -> ClientConfig {
        trusting([self.0.der().clone()])
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A client that trusts exactly the certificates of a PEM file, for example the development certificate.
///
/// # Panics
///
/// When the file can't be read.
#[must_use]
pub fn trusting_file(path: &Path) -> ClientConfig {
    let certificates = CertificateDer::pem_file_iter(path).expect("a PEM file");
    trusting(certificates.map(|certificate| certificate.expect("a certificate in PEM")))
}

fn trusting(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).expect("a usable root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
