//! TLS towards the endpoints of one upstream: whom to believe, what to show, which protocol to ask for.

use crate::config::{self, UpstreamProtocol};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// The protocols as ALPN names them (RFC 7301, RFC 9113 section 3.1).
pub(super) const HTTP_1: &[u8] = b"http/1.1";
pub(super) const HTTP_2: &[u8] = b"h2";

/// The settings of all handshakes with one upstream: TLS 1.2 and 1.3, verification always on, sessions resumed. Shared
/// by all workers, so that a session that one of them has opened is resumed by the others.
///
/// # Errors
/// When a certificate or key can't be used; the check of the configuration has refused those already.
pub fn client_config(
    tls: &config::UpstreamTls,
    protocol: UpstreamProtocol,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let config::UpstreamTls { ca, identity, server_name: _ } = tls;
    let mut roots = RootCertStore::empty();
    match ca {
        Some(config::Authorities { file: _, certificates }) => {
            for certificate in chain(certificates)? {
                roots.add(certificate)?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut built = match identity {
        Some(config::ClientIdentity { certificate_file: _, certificate, key }) => {
            let key = PrivateKeyDer::from_pem_slice(&key.0).map_err(unreadable)?;
            builder.with_client_auth_cert(chain(certificate)?, key)?
        }
        None => builder.with_no_client_auth(),
    };
    built.alpn_protocols = match protocol {
        UpstreamProtocol::Http1 => vec![HTTP_1.to_vec()],
        UpstreamProtocol::Http2 => vec![HTTP_2.to_vec()],
        UpstreamProtocol::Auto => vec![HTTP_2.to_vec(), HTTP_1.to_vec()],
    };
    Ok(Arc::new(built))
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls::Error> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(unreadable)
}

fn unreadable(error: rustls_pki_types::pem::Error) -> rustls::Error {
    rustls::Error::General(format!("no valid PEM: {error}"))
}
