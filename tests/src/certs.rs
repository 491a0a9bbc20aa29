//! A certificate authority of the tests' own: leaves for the servers, trust for the clients.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
        let key = KeyPair::generate().expect("a key");
        let certificate = params(hosts).signed_by(&key, &self.0).expect("a certificate");
        let base = folder.join(hosts.first().expect("at least one host"));
        let leaf = Leaf { certificate: base.with_extension("pem"), key: base.with_extension("key") };
        std::fs::write(&leaf.certificate, certificate.pem()).expect("the certificate is written");
        std::fs::write(&leaf.key, key.serialize_pem()).expect("the key is written");
        leaf
    }

    /// Writes its own certificate, for those who shall trust it.
    ///
    /// # Panics
    ///
    /// When the file can't be written.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.0.pem()).expect("the authority is written");
    }

    /// A server with a certificate for these names or addresses, which offers these protocols (ALPN).
    #[must_use]
    pub fn server(&self, hosts: &[&str], protocols: &[&str]) -> ServerConfig {
        self.server_with(params(hosts), protocols, rustls::ALL_VERSIONS, None)
    }

    /// The same with a certificate that was good until yesterday.
    #[must_use]
    pub fn expired_server(&self, hosts: &[&str], protocols: &[&str]) -> ServerConfig {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let mut params = params(hosts);
        params.not_before = (SystemTime::now() - 2 * DAY).into();
        params.not_after = (SystemTime::now() - DAY).into();
        self.server_with(params, protocols, rustls::ALL_VERSIONS, None)
    }

    /// The same, only for clients with a certificate of `clients`, over these versions of TLS.
    #[must_use]
    pub fn demanding_server(
        &self,
        hosts: &[&str],
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        clients: &Self,
    ) -> ServerConfig {
        self.server_with(params(hosts), protocols, versions, Some(clients))
    }

    fn server_with(
        &self,
        params: CertificateParams,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<&Self>,
    ) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("versions of TLS");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(roots([clients.0.der().clone()]));
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = builder.with_single_cert(vec![certificate], key.into()).expect("a usable certificate");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// A client that trusts this authority.
    #[must_use]
    pub fn trusted(&self) -> ClientConfig {
        trusting([self.0.der().clone()], &[&TLS12, &TLS13])
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
    trusting_file_in(path, &[&TLS12, &TLS13])
}

/// As [`trusting_file`], and speaks these versions only.
///
/// # Panics
///
/// As [`trusting_file`], and when they are none.
#[must_use]
pub fn trusting_file_in(path: &Path, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let certificates = CertificateDer::pem_file_iter(path).expect("a PEM file");
    trusting(certificates.map(|certificate| certificate.expect("a certificate in PEM")), versions)
}

fn params(hosts: &[&str]) -> CertificateParams {
    let names: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    CertificateParams::new(names).expect("host names")
}

fn roots(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).expect("a usable root");
    }
    roots
}

fn trusting(
    certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let roots = roots(certificates);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
